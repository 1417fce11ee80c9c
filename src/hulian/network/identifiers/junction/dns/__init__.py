"""The OID resolution system (ITU-T X.672 | ISO/IEC 29168-1): asking DNS about OIDs, and answering about those kept here."""
