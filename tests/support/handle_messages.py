"""Messages of the Handle protocol for tests: captured vectors, and any body, value or typed value there can be."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from hulian.network.identifiers.wire import bodies
from hulian.network.identifiers.wire.codes import KeyExchange, OpCode, ResponseCode
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.typed.admin import Admin
from hulian.network.identifiers.wire.typed.site import Attribute, Interface, Server, Site
from hulian.network.identifiers.wire.values import Reference, Value

PEERS = Path(__file__).resolve().parents[1] / "peers"

# Captured from a server that no one here wrote.
REQUEST = bytes.fromhex(
    "020a020b 00000000 11223344 00000000 00000036 00000001 00000000 11000000 ffff 00 00 6b034b0e 0000001a"
    "0000000e 38382e3131312e312f4954454d37 00000000 00000000 00000000"
)
VALUE_URL = (
    bytes.fromhex("00000001 6b02a205 00 00015180 0e 00000003 55524c 0000001a") + b"https://example.com/item/7" + bytes(4)
)
VALUE_ADMIN = bytes.fromhex(
    "00000064 00000000 00 00015180 0e 00000008 48535f41444d494e 00000018"
    "0fff 0000000e 38382e3131312e312f41444d494e 0000012c 00000000"
)
NOT_FOUND = bytes.fromhex(
    "020b020b 00000000 11223344 00000000 00000020 00000001 00000064 11000000 0001 00 00 6b034b0e 00000004 00000000 00000000"
)

i32 = st.integers(-(2**31), 2**31 - 1)
u32 = st.integers(0, 2**32 - 1)
i64 = st.integers(-(2**63), 2**63 - 1)
u16 = st.integers(0, 65_535)
u8 = st.integers(0, 255)
texts = st.text(st.characters(codec="utf-8"), max_size=20)
handles = st.one_of(texts, st.just("88.111.1/ITEM7"), st.just("0.NA/88.111"), st.just("99.118.8/水泵-17"))
references = st.builds(Reference, handles, i32)
short = st.binary(max_size=40)


@st.composite
def values(draw):
    ttl_type = draw(u8)
    return Value(
        index=draw(i32),
        type=draw(st.one_of(texts, st.sampled_from(["URL", "HS_ADMIN", "HS_SITE", "EMAIL"]))),
        data=draw(short),
        timestamp=draw(u32),
        ttl_type=ttl_type,
        ttl=draw(u32 if ttl_type == 1 else i32),
        permissions=draw(u8),
        references=tuple(draw(st.lists(references, max_size=3))),
    )


value_lists = st.lists(values(), max_size=4).map(tuple)
index_lists = st.lists(i32, max_size=5).map(tuple)
interfaces = st.builds(Interface, u8, u8, i32)
servers = st.builds(Server, i32, st.binary(min_size=16, max_size=16), short, st.lists(interfaces, max_size=3).map(tuple))
sites = st.builds(
    Site,
    servers=st.lists(servers, max_size=3).map(tuple),
    version=st.tuples(u8, u8),
    serial=u16,
    flags=u8,
    hash_option=u8,
    hash_filter=short,
    attributes=st.lists(st.builds(Attribute, short, short), max_size=3).map(tuple),
    format=u16,
)
admins = st.builds(Admin, handles, i32, u16, st.sampled_from([b"", b"\0\0", b"\1\2"]))
handle_only = st.builds(bodies.HandleOnly, st.one_of(st.none(), handles))
with_values = st.builds(bodies.Values, handles, value_lists)
handle_lists = st.builds(bodies.HandleList, st.lists(handles, max_size=5).map(tuple))
empty = st.just(bodies.Empty())


def session_setups():
    common = {"timeout": i32, "handle": handles, "index": i32, "padding": st.sampled_from([0, 2])}
    with_key = st.builds(
        bodies.SessionSetup,
        mode=st.sampled_from([KeyExchange.CLIENT_KEY.value, KeyExchange.DIFFIE_HELLMAN.value]),
        public_key=short,
        **common,
    )
    in_handle = st.builds(
        bodies.SessionSetup, mode=st.just(KeyExchange.KEY_IN_HANDLE.value), key_handle=handles, key_index=i32, **common
    )
    return st.one_of(with_key, in_handle, st.builds(bodies.SessionSetup, mode=st.just(KeyExchange.SERVER_KEY.value), **common))


REQUESTS = {
    OpCode.RESOLVE: st.builds(bodies.ResolveRequest, handles, index_lists, st.lists(texts, max_size=3).map(tuple)),
    OpCode.GET_SITE: handle_only,
    OpCode.CREATE: with_values,
    OpCode.DELETE: handle_only,
    OpCode.ADD_VALUES: with_values,
    OpCode.REMOVE_VALUES: st.builds(bodies.RemoveRequest, handles, index_lists),
    OpCode.CHANGE_VALUES: st.builds(bodies.ChangeRequest, handles, value_lists, index_lists),
    OpCode.MODIFY_VALUES: with_values,
    OpCode.LIST_HANDLES: handle_only,
    OpCode.LIST_DERIVED_PREFIXES: handle_only,
    OpCode.CHALLENGE_RESPONSE: st.builds(
        bodies.ChallengeResponse, st.sampled_from(["HS_PUBKEY", "HS_SECKEY"]), handles, i32, short
    ),
    OpCode.VERIFY_RESPONSE: st.builds(bodies.VerifyRequest, handles, i32, short, short, short),
    OpCode.HOME_PREFIX: handle_only,
    OpCode.UNHOME_PREFIX: handle_only,
    OpCode.LIST_HOMED_PREFIXES: handle_only,
    OpCode.SESSION_SETUP: session_setups(),
    OpCode.SESSION_TERMINATE: handle_only,
    OpCode.SESSION_EXCHANGE_KEY: st.builds(bodies.ExchangeKey, short),
    OpCode.NEXT_TRANSACTION: handle_only,
    OpCode.RETRIEVE_TRANSACTIONS: st.one_of(
        st.builds(bodies.TransactionLogRequest, last_transaction=i64, last_date=i64, hash_option=u8, servers=i32, server=i32),
        st.builds(bodies.TransactionLogRequest, state=texts, hash_option=u8, servers=i32, server=i32),
    ),
    OpCode.DUMP_HANDLES: st.one_of(
        st.builds(bodies.DumpRequest, hash_option=u8, servers=i32, server=i32),
        st.builds(bodies.DumpRequest, hash_option=u8, servers=i32, server=i32, start=handles, start_kind=i32),
    ),
    OpCode.BACKUP_SERVER: handle_only,
    OpCode.LOGIN: st.builds(bodies.Login, handles, i32),
}
ANSWERS = {
    OpCode.RESOLVE: with_values,
    OpCode.GET_SITE: st.builds(bodies.SiteAnswer, sites.filter(lambda site: site.format), st.booleans()),
    OpCode.CREATE: st.builds(bodies.Created, st.one_of(st.none(), handles)),
    OpCode.LIST_HANDLES: handle_lists,
    OpCode.LIST_DERIVED_PREFIXES: handle_lists,
    OpCode.VERIFY_RESPONSE: st.builds(bodies.Verdict, st.booleans()),
    OpCode.LIST_HOMED_PREFIXES: handle_lists,
    OpCode.SESSION_SETUP: st.builds(bodies.SessionSetupAnswer, u16, short, st.sampled_from([0, 2])),
    OpCode.NEXT_TRANSACTION: st.builds(bodies.NextTransaction, i64),
    OpCode.RETRIEVE_TRANSACTIONS: st.builds(bodies.TransactionLogAnswer, u8),
}
ANSWERS.update({code: empty for code in REQUESTS if code not in ANSWERS and code is not OpCode.CHALLENGE_RESPONSE})
FAILURES = st.one_of(
    st.builds(bodies.Failure, st.none()), st.builds(bodies.Failure, texts), st.builds(bodies.Failure, texts, index_lists)
)
REFERRALS = st.one_of(st.builds(bodies.Referral, handles), st.builds(bodies.Referral, handles, value_lists))
CHALLENGES = st.builds(bodies.Challenge, short)
FAILED = [
    code
    for code in ResponseCode
    if code
    not in (
        ResponseCode.REQUEST,
        ResponseCode.SUCCESS,
        ResponseCode.SERVICE_REFERRAL,
        ResponseCode.PREFIX_REFERRAL,
        ResponseCode.AUTHENTICATION_NEEDED,
    )
]

messages = st.builds(
    Message,
    op_code=u32,
    response_code=u32,
    flags=u32,
    body=st.binary(max_size=60),
    credential=st.one_of(st.none(), short),
    request_id=u32,
    session_id=u32,
    sequence=u32,
    version=st.one_of(st.tuples(st.just(2), st.integers(1, 255)), st.tuples(st.just(3), u8)),
    suggested=st.tuples(st.integers(0, 31), u8),
    envelope_flags=st.sampled_from([0, 0x20]),
    site_serial=st.integers(-(2**15), 2**15 - 1),
    recursion=u8,
    reserved=u8,
    expiration=u32,
)
