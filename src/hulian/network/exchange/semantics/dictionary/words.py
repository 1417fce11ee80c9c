"""The index of words: one way to cut texts of all languages into words, kept by SQLite's FTS5 or as PostgreSQL's tsvector.

Words are folded (case, accents, width). Chinese, Japanese and Korean, which put no spaces between words, are cut into pairs of
characters; long words of other languages are found by their ends, too, because German writes ``Austrittsdruck`` in one. Both
databases are given the same words, so that both find the same; only the order of what fits equally well is theirs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hulian.network.exchange.semantics.dictionary.entry import Entry

__all__ = ["cut", "folded", "forget", "learn", "query", "ranked"]

_CJK: Final = "぀-ヿ㐀-䶿一-鿿가-힯豈-﫿"
_RUN: Final = re.compile(f"[{_CJK}]+|[^\\W_{_CJK}]+")
_FIRST_CJK: Final = re.compile(f"[{_CJK}]")
_ACCENTS: Final = re.compile("[\u0300-\u036f]+")
_LONG_WORD: Final = 8
_SHORTEST_END: Final = 4
_LONGEST_WORD: Final = 64
_MOST_WORDS: Final = 2000
_MOST_ASKED: Final = 16


def folded(text: str) -> str:
    """``text`` without what differs between spellings of one word: case, accents, width."""
    plain = text.casefold()
    if plain.isascii():
        return plain
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFKD", plain)))


def cut(text: str, *, asked: bool = False) -> list[str]:
    """The words of ``text``; those that somebody asks for leave out the single character that ends a run of pairs."""
    words: list[str] = []
    for match in _RUN.finditer(folded(text)):
        run = match[0]
        if _FIRST_CJK.match(run):
            words += [run[at : at + 2] for at in range(len(run) - 1)]
            if not asked or len(run) == 1:
                words.append(run[-1])
        else:
            words.append(run[:_LONGEST_WORD])
        if len(words) > _MOST_WORDS:
            break
    return words[:_MOST_WORDS]


def learn(connection: Connection, entries: Sequence[tuple[int, Entry]]) -> None:
    """Puts entries into the index, by their identity."""
    rows = []
    for identity, entry in entries:
        names = [*entry.names.values(), *entry.short_names.values(), entry.identifier, entry.symbol, entry.value]
        for synonyms in entry.synonyms.values():
            names += synonyms
        words = list(dict.fromkeys(_cut_all(names)))
        ends = list(dict.fromkeys(_ends(words)))[:_MOST_WORDS]
        texts = list(dict.fromkeys(_cut_all([*entry.definitions.values(), *entry.notes.values()])))
        rows.append({"identity": identity, "names": words, "parts": ends, "texts": texts})
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.execute(
            sa.text(
                "INSERT INTO semantic_concept_word (rowid, names, parts, texts) VALUES (:identity, :names, :parts, :texts)"
            ),
            [{name: " ".join(value) if isinstance(value, list) else value for name, value in row.items()} for row in rows],
        )
        return
    connection.execute(
        sa.text("INSERT INTO semantic_concept_word (identity, words) VALUES (:identity, CAST(:words AS tsvector))"),
        [{"identity": row["identity"], "words": _vector(row)} for row in rows],
    )


def forget(connection: Connection, identities: sa.Select[tuple[int]]) -> None:
    """Takes entries out of the index."""
    column = "rowid" if connection.dialect.name == "sqlite" else "identity"
    word = sa.table("semantic_concept_word", sa.column(column))
    connection.execute(sa.delete(word).where(word.c[column].in_(identities)))


def query(text: str) -> list[str]:
    """The words that somebody asks for, at most 16."""
    return list(dict.fromkeys(cut(text[:1000], asked=True)))[:_MOST_ASKED]


def ranked(connection: Connection, words: Sequence[str], *, all_of_them: bool = True) -> sa.Subquery:
    """Identities and scores (higher is better) of the entries in which the words occur, or begin a word."""
    if connection.dialect.name == "sqlite":
        phrases = (" AND " if all_of_them else " OR ").join(f'"{word}"*' for word in words)
        match = sa.literal_column("semantic_concept_word").op("MATCH", is_comparison=True)(phrases)
        table = sa.table("semantic_concept_word", sa.column("rowid"))
        score: sa.ColumnElement[float] = sa.literal_column("-bm25(semantic_concept_word, 10.0, 3.0, 1.0)")
        return sa.select(table.c.rowid.label("identity"), score.label("score")).where(match).subquery("matching")
    asked = (" & " if all_of_them else " | ").join(f"'{word}':*" for word in words)
    value = sa.cast(sa.literal(asked, sa.String), _TsQuery())
    postgresql = sa.table("semantic_concept_word", sa.column("identity"), sa.column("words"))
    score = sa.func.ts_rank(sa.literal_column("'{0.05, 0.1, 0.3, 1.0}'::float4[]"), postgresql.c.words, value)
    return (
        sa.select(postgresql.c.identity.label("identity"), score.label("score"))
        .where(postgresql.c.words.op("@@", is_comparison=True)(value))
        .subquery("matching")
    )


class _TsQuery(sa.types.UserDefinedType[str]):
    """PostgreSQL's type of what is asked."""

    cache_ok = True

    def get_col_spec(self, **_kw: object) -> str:
        return "tsquery"


def _vector(row: dict[str, object]) -> str:
    found: dict[str, str] = {}
    for name, weight in (("texts", "D"), ("parts", "B"), ("names", "A")):
        words = row[name]
        if isinstance(words, list):
            found.update(dict.fromkeys(words, weight))
    return " ".join(f"'{word}':{at}{weight}" for at, (word, weight) in enumerate(found.items(), 1))


def _cut_all(texts: Iterable[str]) -> list[str]:
    found: list[str] = []
    for text in texts:
        found += cut(text[:20_000])
        if len(found) > _MOST_WORDS:
            break
    return found[:_MOST_WORDS]


def _ends(words: Iterable[str]) -> list[str]:
    found: list[str] = []
    for word in words:
        if len(word) >= _LONG_WORD and not _FIRST_CJK.match(word):
            found += [word[at:] for at in range(1, len(word) - _SHORTEST_END + 1)]
    return found
