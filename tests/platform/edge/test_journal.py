"""The journal keeps what it took, cuts what was torn, and drops only what its policy says."""

import os
import random
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hulian.platform.edge.config import BufferPolicy
from hulian.platform.edge.errors import JournalError
from hulian.platform.edge.journal import Journal


def make(directory: Path, bound: int = 64 * 2**20, policy: BufferPolicy = BufferPolicy.DROP_OLDEST) -> Journal:
    journal = Journal(directory, bound=bound, policy=policy)
    journal.open()
    return journal


def text(body: bytes):
    return lambda epoch, sequence, offset: b"%d/%d/%d/" % (epoch, sequence, offset) + body


def everything(journal: Journal) -> list:
    cursor, found = journal.cursor(), []
    while True:
        records, cursor = journal.read(cursor, 4096)
        if not records:
            return found
        found += records


def test_records_come_back_in_order_with_their_numbers(tmp_path):
    journal = make(tmp_path)
    assert journal.append([(3, text(b"a")), (2, text(b"b"))])
    assert journal.append([(1, text(b"c"))])
    records = everything(journal)
    assert [record.sequence for record in records] == [1, 2, 3]
    assert [record.payload.split(b"/", 2)[2] for record in records] == [b"0/a", b"3/b", b"5/c"]
    assert journal.offset == 6


def test_a_second_life_goes_on_with_the_numbering_and_sends_only_what_is_unacknowledged(tmp_path):
    journal = make(tmp_path)
    for _ in range(5):
        journal.append([(10, text(b"x"))], position=7)
    journal.acknowledge(3)
    journal.close()
    again = make(tmp_path)
    assert (again.epoch, again.sequence, again.offset, again.position) == (journal.epoch, 5, 50, 7)
    assert [record.sequence for record in everything(again)] == [4, 5]


def test_numbering_goes_on_after_everything_was_acknowledged_and_removed(tmp_path):
    journal = make(tmp_path, bound=1 << 20)
    for _ in range(300):
        journal.append([(1, text(b"y" * 2000))], position=42)
        journal.acknowledge(journal.sequence)
    assert len(list(tmp_path.glob("*.journal"))) < 5
    journal.close()
    again = make(tmp_path, bound=1 << 20)
    assert (again.sequence, again.offset, again.position) == (300, 300, 42)
    assert everything(again) == []


@settings(max_examples=60, deadline=None)
@given(
    groups=st.lists(
        st.lists(st.tuples(st.integers(1, 9), st.binary(max_size=300)), min_size=1, max_size=4), min_size=1, max_size=12
    ),
    data=st.data(),
)
def test_a_torn_tail_is_cut_at_a_whole_group(tmp_path_factory, groups, data):
    directory = tmp_path_factory.mktemp("journal")
    journal = make(directory)
    ends = [44]
    for number, group in enumerate(groups):
        journal.append([(rows, text(body)) for rows, body in group], position=number)
        ends.append(journal.bytes)
    journal.close()
    (path,) = directory.glob("*.journal")
    cut = data.draw(st.integers(44, ends[-1]))
    os.truncate(path, cut)
    whole = max(index for index, end in enumerate(ends) if end <= cut)
    again = make(directory)
    assert again.sequence == sum(len(group) for group in groups[:whole])
    assert again.offset == sum(rows for group in groups[:whole] for rows, _ in group)
    assert again.position == (whole - 1 if whole else None)
    assert path.stat().st_size == ends[whole]
    again.append([(1, text(b"on"))])
    assert everything(again)[-1].sequence == again.sequence
    again.close()


def test_a_flipped_bit_ends_the_journal_there(tmp_path):
    journal = make(tmp_path)
    for _ in range(3):
        journal.append([(1, text(b"payload"))])
    journal.close()
    (path,) = tmp_path.glob("*.journal")
    raw = bytearray(path.read_bytes())
    raw[-3] ^= 0x40
    path.write_bytes(raw)
    assert make(tmp_path).sequence == 2


@pytest.mark.parametrize("policy", BufferPolicy)
def test_a_full_journal_stays_within_its_bound_and_counts_what_it_dropped(tmp_path, policy):
    bound = 1 << 20
    journal = make(tmp_path, bound=bound, policy=policy)
    for _ in range(2000):
        assert journal.append([(7, text(b"z" * 1500))])
        assert journal.bytes <= bound
    records = everything(journal)
    (drop,) = [record.drop for record in records if record.drop]
    kept = sum(record.rows for record in records if not record.drop)
    assert journal.dropped == drop.end - drop.offset > 0
    assert kept + journal.dropped == journal.offset == 14_000
    assert (drop.offset, drop.end) == ((drop.first - 1) * 7, drop.last * 7)
    if policy is BufferPolicy.DROP_OLDEST:
        assert (records[0].drop, drop.first, records[-1].sequence) == (drop, 1, 2000)
    else:
        assert (records[-1].drop, drop.last, records[0].sequence) == (drop, 2000, 1)


@pytest.mark.parametrize("policy", BufferPolicy)
def test_what_was_dropped_is_known_after_kill_9(tmp_path, policy):
    """Nothing is closed: what the next life finds is what the files hold."""
    journal = make(tmp_path, bound=1 << 20, policy=policy)
    for number in range(2000):
        journal.append([(7, text(b"z" * 1500))], position=number)
    again = make(tmp_path, bound=1 << 20, policy=policy)
    assert (again.sequence, again.offset, again.position, again.bytes) == (2000, 14_000, 1999, journal.bytes)
    assert everything(again) == everything(journal)
    again.append([(3, text(b"on"))])
    assert (again.sequence, again.offset) == (2001, 14_003)


def test_an_end_between_a_longer_declaration_and_the_removal_of_the_shorter_one(tmp_path):
    journal = make(tmp_path, bound=1 << 20)
    while not journal.dropped:
        journal.append([(1, text(b"z" * 1500))])
    (first, *_) = sorted(tmp_path.glob("*.journal"))
    kept = first.read_bytes()
    before = journal.dropped
    while journal.dropped == before:
        journal.append([(1, text(b"z" * 1500))])
    assert not first.exists()
    first.write_bytes(kept)
    again = make(tmp_path, bound=1 << 20)
    assert everything(again) == everything(journal)
    assert again.bytes == journal.bytes


def test_what_stood_in_a_segment_before_its_declaration_is_cut(tmp_path):
    """The end may come between the declaration and the cut behind it."""
    journal = make(tmp_path, bound=1 << 20)
    journal.append([(1, text(b"z" * 500)), (1, text(b"y" * 500))])
    (path,) = tmp_path.glob("*.journal")
    rest = path.read_bytes()
    journal._add_segment()
    assert journal._drop_oldest()
    declared = path.read_bytes()
    path.write_bytes(declared + rest[len(declared) :])
    again = make(tmp_path, bound=1 << 20)
    assert [(record.drop.first, record.drop.last) for record in everything(again)] == [(1, 2)]
    assert path.read_bytes() == declared


def test_a_declaration_that_grows_is_read_again(tmp_path):
    journal = make(tmp_path, bound=1 << 20, policy=BufferPolicy.DROP_NEWEST)
    while not journal.dropped:
        journal.append([(1, text(b"z" * 1500))])
    cursor = journal.cursor()
    last = None
    while True:
        records, cursor = journal.read(cursor)
        if not records:
            break
        last = records[-1]
    assert last.drop.last == journal.sequence
    journal.append([(4, text(b"z" * 1500))])
    (record,), cursor = journal.read(cursor)
    assert (record.drop.first, record.drop.last, record.drop.end) == (last.drop.first, journal.sequence, journal.offset)
    assert journal.read(cursor)[0] == []
    journal.acknowledge(last.drop.first - 1)
    journal.append([(2, text(b"on"))])
    assert [one.sequence for one in journal.read(cursor)[0]] == [journal.sequence]


def test_samples_that_never_came_here_have_their_place(tmp_path):
    journal = make(tmp_path)
    journal.append([(3, text(b"a"))])
    assert journal.lose(500)
    assert journal.lose(20)
    journal.append([(1, text(b"b"))])
    records = everything(make(tmp_path))
    assert [(record.sequence, record.rows) for record in records] == [(1, 3), (3, 520), (4, 1)]
    assert records[-1].payload.endswith(b"/4/523/b")


def test_the_number_of_files_is_bounded_where_declarations_alternate_with_batches(tmp_path):
    journal = make(tmp_path, bound=1 << 20, policy=BufferPolicy.DROP_NEWEST)
    for _ in range(3000):
        journal.append([(1, text(b"s" * 100))])
        journal.append([(1, text(b"z" * (1 << 20)))])
    assert len(list(tmp_path.glob("*.journal"))) < 100
    records = everything(journal)
    assert sum(record.rows for record in records) == journal.offset == 6000


def test_dropping_the_oldest_does_not_count_what_was_acknowledged(tmp_path):
    journal = make(tmp_path, bound=1 << 20)
    for _ in range(60):
        journal.append([(1, text(b"z" * 1500))])
    journal.acknowledge(40)
    for _ in range(2000):
        journal.append([(1, text(b"z" * 1500))])
    records = everything(journal)
    assert records[0].drop.first == 41
    assert sum(record.rows for record in records if not record.drop) + journal.dropped + 40 == journal.offset


def test_a_foreign_file_is_an_error_with_its_place(tmp_path):
    (tmp_path / "00000000000000000001.journal").write_bytes(b"not a journal" * 100)
    (tmp_path / "00000000000000000002.journal").write_bytes(b"not a journal" * 100)
    with pytest.raises(JournalError, match="00000000000000000001"):
        make(tmp_path)


def test_an_acknowledged_append_survives_kill_9(tmp_path):
    script = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from hulian.platform.edge.config import BufferPolicy
        from hulian.platform.edge.journal import Journal
        journal = Journal(Path(sys.argv[1]), bound=1 << 28, policy=BufferPolicy.DROP_OLDEST)
        journal.open()
        while True:
            journal.append([(1, lambda e, s, o: b"p" * 500), (1, lambda e, s, o: b"q" * 900)])
            sys.stdout.write(f"{journal.sequence}\\n")
            sys.stdout.flush()
        """
    )
    for _ in range(3):
        child = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE)
        for _ in range(random.randrange(20, 400)):
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        told = [int(line) for line in child.stdout.read().split(b"\n")[:-1] if line]
        child.wait()
        journal = make(tmp_path, bound=1 << 28)
        assert journal.sequence % 2 == 0
        assert journal.sequence >= (told[-1] if told else 0)
        assert [record.sequence for record in everything(journal)] == list(range(1, journal.sequence + 1))
        journal.close()
