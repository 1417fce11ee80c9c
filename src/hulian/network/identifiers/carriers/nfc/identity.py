"""A code as an NDEF record, and back."""

from __future__ import annotations

from hulian.network.identifiers.carriers.errors import NdefError
from hulian.network.identifiers.carriers.nfc.ndef import Record, TextRecord, UriRecord
from hulian.network.identifiers.carriers.symbols.content import link_to
from hulian.network.identifiers.schemes import GS1, Code, Did, Epc, Oid, recognise

__all__ = ["code_of", "record_of"]


def record_of(code: Code, stem: str = "") -> Record:
    """The record that names ``code``: with a ``stem`` (the address of a resolver) a link to it, which phones open; without,
    the code's own URI where it has one (GS1 Digital Link, ``urn:epc:``, ``urn:oid:``, ``did:``), otherwise its text."""
    if stem:
        return UriRecord(link_to(code, stem))
    match code:
        case GS1() | Oid():
            return UriRecord(code.to_url())
        case Epc() | Did():
            return UriRecord(code.text)
        case _:
            return TextRecord(code.text)


def code_of(record: Record) -> Code:
    """What a URI or text record names. Raises `SchemeError` where nothing is recognised, `NdefError` for other records."""
    match record:
        case UriRecord():
            return recognise(record.uri)
        case TextRecord():
            return recognise(record.text)
        case _:
            raise NdefError("a record of another kind than URI or text names nothing here", rule="ndef.identity")
