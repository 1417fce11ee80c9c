"""NFC: messages of records (NFC Forum NDEF 1.0), and the memory images of the tags that hold them.

ndef        records and messages
identity    a code as a record, and back
type2       images of Type 2 tags (NTAG, MIFARE Ultralight)
type4       files of Type 4 tags (DESFire, cards and phones that act as one)
"""
