"""Names and their syntax: parse, check, normalise, and turn one form into another. Pure: text and octets in, values out.

    recognition     whatever is scanned or typed → `Code`
    handle, vaa, oid, ecode, did, gs1, epc     one scheme each: its class of `Code`, with its own parse
    allocation      suffixes: serial, by class and batch, by date, random with a check character

`recognise` is the one entry; docs/topics/identifiers-codes.md shows every form.
"""

from hulian.network.identifiers.schemes.code import Code, Scheme
from hulian.network.identifiers.schemes.did import Did
from hulian.network.identifiers.schemes.ecode import Ecode
from hulian.network.identifiers.schemes.epc.epc import Epc
from hulian.network.identifiers.schemes.gs1.elements import GS1
from hulian.network.identifiers.schemes.gs1.link import DigitalLink
from hulian.network.identifiers.schemes.handle import Handle
from hulian.network.identifiers.schemes.oid import Oid
from hulian.network.identifiers.schemes.recognition import candidates, recognise
from hulian.network.identifiers.schemes.vaa import Vaa

__all__ = ["GS1", "Code", "Did", "DigitalLink", "Ecode", "Epc", "Handle", "Oid", "Scheme", "Vaa", "candidates", "recognise"]
