"""What answers plain questions in one step says what the chain says, byte for byte, and leaves to it what it does not know."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from handle_messages import REQUEST
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hulian.network.identifiers import compiled
from hulian.network.identifiers.chain.cache import Cache
from hulian.network.identifiers.chain.contract import Asker
from hulian.network.identifiers.chain.plain import plain_of
from hulian.network.identifiers.compiled import build
from hulian.network.identifiers.nodes.tiers import delegating, enterprise
from hulian.network.identifiers.store import RecordStore
from hulian.network.identifiers.transport.fast import CompiledAnswers
from hulian.network.identifiers.wire.bodies import Failure, ResolveRequest, Values, answer, read_body, request
from hulian.network.identifiers.wire.codes import OpCode, OpFlag, ResponseCode
from hulian.network.identifiers.wire.frame import Message, decode, encode
from hulian.network.identifiers.wire.typed.site import Interface, Server, Site
from hulian.network.identifiers.wire.values import Reference, Value
from hulian.registry import Registry

ASKER = Asker(address="192.0.2.1")
SITE = Site(servers=(Server(1, bytes(16), b"", (Interface(2, 0, 2641),)),)).pack()
RECORDS = [
    ("88.111.1/ITEM7", [Value(index=1, type="URL", data=b"https://example.com/7"), Value(index=2, type="EMAIL", data=b"a@b")]),
    ("88.111.1/part", [Value(index=1, type="URL", data=b"x"), Value(index=100, type="HS_ADMIN", data=b"s", permissions=12)]),
    ("88.111.1/secret", [Value(index=1, type="KEY", data=b"s", permissions=12)]),
    ("88.111.1/nobody", [Value(index=1, type="URL", data=b"x"), Value(index=9, type="KEY", data=b"s", permissions=0)]),
    ("88.111.1/empty", []),
    ("88.111.1/水泵", [Value(index=1, type="DESC", data="泵".encode(), references=(Reference("88.111.1/ITEM7", 3),))]),
    ("88.111.1/large", [Value(index=1, type="URL", data=b"x" * 3_000)]),
    ("88.111.1/fits", [Value(index=1, type="URL", data=b"x" * 387)]),
    ("88.111.1/a/b", [Value(index=1, type="URL", data=b"slash")]),
    ("0.NA/88.111.1", [Value(index=1, type="HS_SITE", data=SITE), Value(index=2, type="HS_SITE.PREFIX", data=SITE)]),
    ("0.NA/88.111.2", [Value(index=2, type="HS_SITE.PREFIX", data=SITE)]),
]
NAMES = [name for name, _ in RECORDS] + [
    "88.111.1/none", "88.111.1", "88.111.2.5", "88.111.2.5/x", "88.111.9/x", "88.111", "1.2/3", "0.NA/1.2", "0.na/88.111.1", "",
    "/", "88.111.1/", "88.111.1/没有", "0.NA/0.NA", "88.111.1/" + "x" * 400,
]  # fmt: skip


def python_answers(plain):
    return plain


def compiled_answers(plain):
    if compiled.library is None:
        pytest.skip(f"no compiled library: {compiled.reason}")
    return CompiledAnswers(compiled.library, plain)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    store = RecordStore(Registry.open(tmp_path_factory.mktemp("plain") / "records.db"))
    store.home("88.111.1")
    store.home("88.111")
    store.create_many(RECORDS)
    return store


@pytest.fixture(scope="module", params=[enterprise, delegating], ids=["enterprise", "delegating"])
def link(request, records):
    return request.param(records)


@pytest.fixture(scope="module", params=[python_answers, compiled_answers], ids=["python", "compiled"])
def answers(request, link):
    return request.param(plain_of(link))


@pytest.fixture(scope="module")
def every_kind(records):
    """All links with all that may answer in their place."""
    makers = [python_answers] if compiled.library is None else [python_answers, compiled_answers]
    return [(link, make(plain_of(link))) for link in (enterprise(records), delegating(records)) for make in makers]


def timeless(data: bytes | bytearray) -> bytes:
    """Without the expiration, which is the clock's."""
    return bytes(data[:36]) + bytes(4) + bytes(data[40:])


def chain(link, data: bytes) -> bytes:
    return encode(asyncio.run(link.answer(decode(data), ASKER)))


def question(handle: str, *, flags: int = OpFlag.PUBLIC_ONLY.value, request_id: int = 7, **more) -> bytes:
    return encode(request(OpCode.RESOLVE, ResolveRequest(handle), request_id=request_id, expiration=0, flags=flags, **more))


@pytest.mark.parametrize("name", NAMES)
def test_each_kind_of_record(link, answers, name):
    for spelt in (name, name.lower(), name.upper()):
        data = question(spelt)
        expected = chain(link, data)
        found = answers.answer(data, 300_000)
        if found is not None:
            assert timeless(found) == timeless(expected)
            assert abs(decode(bytes(found)).expiration - time.time() - 12 * 3600) < 60
            assert answers.answer(data, len(found) - 1) is None, "there is no room for it"
            assert len(found) < 70 or answers.answer(data, len(found)) is not None
        code = decode(expected).response_code
        plain = (
            code in (1, 100, 200) and "没有" not in name and not (code == 100 and (name.startswith("0.") or "/" not in name))
        )
        assert (found is not None) == plain, (spelt, code)


flags = st.one_of(
    st.sampled_from([0x01000000, 0x11000000, 0x83100000, 0x01800000, 0]),
    st.integers(0, 2**32 - 1).map(lambda bits: bits | 1 << 24),
)
versions = st.sampled_from([(2, 1), (2, 10), (2, 11), (2, 200), (3, 0), (3, 7)])
suggestions = st.sampled_from([(0, 0), (1, 9), (2, 0), (2, 1), (2, 10), (2, 11), (2, 255), (3, 0), (7, 1), (31, 255)])


@st.composite
def odd_case(draw):
    name = draw(st.sampled_from(NAMES))
    upper = draw(st.lists(st.booleans(), min_size=len(name), max_size=len(name)))
    return "".join(one.upper() if up and one.isascii() else one for one, up in zip(name, upper, strict=True))


@settings(max_examples=50)
@given(
    handle=odd_case(), flags=flags, version=versions, suggested=suggestions, request_id=st.integers(0, 2**32 - 1),
    indexes=st.sampled_from([(), (), (1,), (100,)]), types=st.sampled_from([(), (), ("URL",), ("HS_",)]),
    recursion=st.sampled_from([0, 0, 1, 10, 11, 255]), session=st.sampled_from([0, 0, 1]), reserved=st.sampled_from([0, 9]),
)  # fmt: skip
def test_any_question_is_answered_as_by_the_chain_or_left_to_it(link, answers, handle, indexes, types, session, **more):
    body = ResolveRequest(handle, indexes, types).pack()
    data = encode(Message(op_code=1, body=body, session_id=session, **more))
    found = answers.answer(data, 512)
    if found is not None:
        assert timeless(found) == timeless(chain(link, data))
        assert not session
        assert more["flags"] & OpFlag.PUBLIC_ONLY.value
        assert not more["flags"] & 0x68800000, "nothing that is to be made for one asker"


@pytest.mark.fuzz
@given(
    base=st.sampled_from([REQUEST, question("88.111.1/part"), question("88.111.1"), question("1.2/3")]),
    changes=st.lists(st.tuples(st.integers(0, 80), st.binary(max_size=4)), max_size=4),
    cut=st.integers(0, 90), more=st.binary(max_size=3),
)  # fmt: skip
@example(base=REQUEST, changes=[(44, b"\0\0\0\x0f")], cut=90, more=b"")
@example(base=REQUEST, changes=[(44, b"\xff\xff\xff\xff")], cut=90, more=b"")
def test_hostile_bytes_are_answered_as_by_the_chain_or_left_to_it(every_kind, base, changes, cut, more):
    data = base
    for at, new in changes:
        data = data[:at] + new + data[at + len(new) :]
    data = data[:cut] + more
    for link, answers in every_kind:
        found = answers.answer(data, 512)
        if found is not None:
            assert timeless(found) == timeless(chain(link, data))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return RecordStore(Registry.open(tmp_path_factory.mktemp("broken") / "records.db"))


@pytest.mark.fuzz
@given(packed=st.one_of(st.binary(max_size=80), st.binary(max_size=60).map(lambda data: b"\0\0\0\1" + data)))
@example(packed=b"\0\0\0\1" + bytes(26))
@example(packed=b"\0\0\0\1" + bytes(13) + b"\2" + bytes(12))
@example(packed=b"\0\0\0\1" + bytes(22) + b"\xff\xff\xff\xff")
@example(packed=b"\0\0\0\0more")
def test_records_that_are_broken_are_left_to_the_chain(store, packed):
    """Whoever wrote to the registry by hand harms his record, no other."""
    store.index.put(b"88.111.1/BROKEN", packed)
    link = enterprise(store)
    data = question("88.111.1/broken")
    for make in [python_answers] if compiled.library is None else [python_answers, compiled_answers]:
        found = make(plain_of(link)).answer(data, 512)
        if found is not None:
            assert timeless(found) == timeless(chain(link, data))


# -- what is remembered --------------------------------------------------------------------------------------------------


class Source:
    """The next link of a cache: answers, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.ttl = 1_000
        self.code = ResponseCode.SUCCESS

    async def answer(self, asked: Message, asker: Asker) -> Message:
        self.asked += 1
        value = Value(index=1, type="URL", data=b"number %d" % self.asked, ttl=self.ttl)
        body = Values(read_body(asked).handle, (value,)) if self.code == ResponseCode.SUCCESS else Failure("nobody knows")
        return answer(asked, self.code, body, expiration=0)


@pytest.fixture(params=[python_answers, compiled_answers], ids=["python", "compiled"])
def remembering(request):
    def make(**more):
        source = Source()
        cache = Cache(source, **more)
        return source, cache, request.param(plain_of(cache))

    return make


def test_what_is_remembered_is_given_as_the_cache_gives_it(remembering):
    source, cache, answers = remembering()
    data = question("88.111.1/Item7")
    assert answers.answer(data, 512) is None, "nothing is known yet"
    chain(cache, data)
    assert answers.answer(question("88.111.1/ITEM7"), 512) is None, "of another node, which may tell them apart"
    for spelt in ("88.111.1/Item7",):
        for flags in (0x01000000, 0x11100000):
            again = question(spelt, flags=flags, request_id=99)
            assert timeless(answers.answer(again, 512)) == timeless(chain(cache, again))
    assert source.asked == 1
    for passes in (0x81000000, 0x01800000, 0x41000000, 0):
        assert answers.answer(question("88.111.1/Item7", flags=passes), 512) is None
    some = encode(Message(op_code=1, body=ResolveRequest("88.111.1/item7", (1,), ("URL",)).pack(), flags=1 << 24))
    assert answers.answer(some, 512) is None, "another question"
    chain(cache, some)
    assert timeless(answers.answer(some, 512)) == timeless(chain(cache, some))
    assert answers.answer(some[:-10] + some[-9:], 512) is None


def test_prefixes_are_remembered_without_regard_to_case(remembering):
    source, cache, answers = remembering()
    for first, others in (("Cafe.1/x", ("CAFE.1/x", "cafe.1/x")), ("0.NA/Cafe.1", ("0.na/cafe.1",)), ("Cafe.2", ("CAFE.2",))):
        chain(cache, question(first))
        before = source.asked
        for spelt in others:
            data = question(spelt)
            found = answers.answer(data, 512)
            assert timeless(found) == timeless(chain(cache, data))
            assert read_body(decode(bytes(found))).handle == spelt
        assert source.asked == before
    for other in ("Cafe.1/X", "Cafe.1", "0.N/Cafe.1", "10.NA/Cafe.1"):
        assert answers.answer(question(other), 512) is None


def test_that_there_is_nothing_is_remembered_too(remembering):
    source, cache, answers = remembering(negative=1_000.0)
    source.code = ResponseCode.HANDLE_NOT_FOUND
    data = question("88.111.1/none")
    chain(cache, data)
    assert timeless(answers.answer(data, 512)) == timeless(chain(cache, data))
    assert source.asked == 1


def test_what_has_ended_is_asked_anew(remembering):
    source, cache, answers = remembering(longest=0.05)
    data = question("88.111.1/item7")
    chain(cache, data)
    assert answers.answer(data, 512) is not None
    until = time.monotonic() + 5
    while answers.answer(data, 512) is not None:
        assert time.monotonic() < until
    assert b"number 2" in chain(cache, data)
    source.ttl = 0
    other = question("88.111.1/fleeting")
    chain(cache, other)
    assert answers.answer(other, 512) is None


def test_what_is_asked_stays_and_what_is_not_goes(remembering):
    _, cache, answers = remembering(entries=10)
    popular = question("88.111.1/popular")
    chain(cache, popular)
    for number in range(200):
        assert answers.answer(popular, 512) is not None
        chain(cache, question(f"88.111.1/{number}"))
        assert len(cache._kept) == len(cache._index) == min(10, number + 2)
    assert answers.answer(question("88.111.1/0"), 512) is None


def test_memory_is_bounded_by_bytes(remembering):
    _, cache, _ = remembering(bytes_=5_000)
    for number in range(300):
        chain(cache, question(f"88.111.1/{number}"))
        assert sum(len(key) + len(value) for key, value in cache._index.items()) == cache._held <= 5_000


def test_a_cache_with_a_clock_of_its_own_sees_every_question():
    assert plain_of(Cache(Source(), clock=lambda: 0.0)) is None


# -- the sources, without Python -----------------------------------------------------------------------------------------

HERE = Path(__file__).resolve().parent


def under_sanitizers(directory: Path, name: str, which: str, only: tuple[str, ...] = ()) -> list[str]:
    """The command of a program of the library's sources, or ``only`` some of them, and ``name``."""
    command = build.compiler()
    if command is None:
        pytest.skip("there is no C compiler")
    program = directory / "program"
    flags = ["-g", "-O1", "-pthread", f"-fsanitize={which}", "-fno-sanitize-recover=all", f"-I{build.HERE}"]
    inputs = [str(HERE / name), *(str(path) for path in build.sources() if not only or path.stem in only)]
    made = subprocess.run([*command, *flags, "-o", str(program), *inputs], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"this compiler has no sanitizers: {made.stderr[-200:]}")
    return [str(program)]


def test_garbage_under_the_eyes_of_the_sanitizers(tmp_path):
    """Questions, records and changes of every kind, with each access to memory checked."""
    corpus = [REQUEST, *(question(name) for name in NAMES), *(encode(decode(REQUEST))[:size] for size in range(0, 74, 5))]
    given = b"".join(len(data).to_bytes(4, "little") + data for data in corpus)
    command = [*under_sanitizers(tmp_path, "garbage.c", "address,undefined", ("index", "plain", "budget")), "10000"]
    done = subprocess.run(command, input=given, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    assert int(done.stdout) > 500, "most of it was garbage, but not all"


@pytest.mark.soak
@pytest.mark.parametrize("which", ["thread", "address,undefined"])
def test_all_threads_at_once_under_the_eyes_of_the_sanitizers(tmp_path, which):
    """Both loops answer while two writers change what they answer from, and strangers send garbage."""
    command = under_sanitizers(tmp_path, "threads.c", which)
    if which == "thread" and shutil.which("setarch"):
        command = ["setarch", "-R", *command]  # this sanitizer does not know every layout of addresses
    done = subprocess.run(command, capture_output=True, timeout=170)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    assert int(done.stdout) > 1_000
