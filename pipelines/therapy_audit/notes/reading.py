"""Notes read in batches on all processors, and the answers as an Arrow table."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from therapy_audit.notes import cutting, elements, lexicon, measures
from therapy_audit.notes.lexicon import ELEMENTS, LEVELS, NARRATIVES
from therapy_audit.notes.matching import Matcher, Matches, find

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from therapy_audit.notes.elements import Judged
    from therapy_audit.notes.matching import Found
    from therapy_audit.notes.measures import Measured

BATCH = 16_000  # notes; with smaller ones two threads wait for each other
_SPAN = pa.struct([("start", pa.int32()), ("end", pa.int32()), ("text", pa.string())])
_ELEMENT = pa.struct([("present", pa.bool_()), ("evidence", pa.list_(_SPAN))])
_MEASURE = pa.struct([("measure", pa.string()), ("value", pa.float64()), ("start", pa.int32()), ("end", pa.int32())])
PROGRESS = ("measures", *measures.FLAGS)  # the columns that say how far the patient is
SCHEMA = pa.schema(
    [
        ("elements", pa.struct([(name, _ELEMENT) for name in ELEMENTS])),
        ("narrative", pa.string()),
        ("assist_level", pa.string()),
        ("minutes", pa.int32()),
        ("start", pa.string()),
        ("stop", pa.string()),
        ("score", pa.float64()),
        ("measures", pa.list_(_MEASURE)),
        *((name, pa.bool_()) for name in measures.FLAGS),
    ]
)


@cache
def matcher(folder: Path | None = None) -> Matcher:
    """Return the lexicon made ready, with the words of a clinic's folder where one is named."""
    ready = Matcher(lexicon.load(folder))
    measures.vocabularies(ready.known)  # which is made once too: here, where no other thread makes it at the same time
    return ready


def read(
    texts: Sequence[str | None] | Any,
    codes: Sequence[str | None] | None = None,
    folder: Path | None = None,
    threads: int | None = None,
    *,
    quoted: bool = True,
) -> pa.Table:
    """Return a table with SCHEMA and one row per text, in the order of the texts; a null text has no evidence.

    `texts` is a list or an Arrow array of strings, `codes` the codes that they were billed under. Where spans are not
    to be `quoted`, their text is null.
    """
    parts = list(batches(texts, codes, folder, threads, quoted=quoted))
    return pa.Table.from_batches(parts, SCHEMA)


def batches(
    texts: Sequence[str | None] | Any,
    codes: Sequence[str | None] | None = None,
    folder: Path | None = None,
    threads: int | None = None,
    *,
    quoted: bool = True,
) -> Iterator[pa.RecordBatch]:
    """Yield read()'s rows batch by batch."""
    ready = matcher(folder)
    column = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    whole = column if isinstance(column, pa.Array) else pa.array(column, pa.large_string())
    whole = whole.cast(pa.large_string()).fill_null("")

    def part(begin: int) -> pa.RecordBatch:
        own = None if codes is None else codes[begin : begin + BATCH]
        return _rows(ready, whole[begin : begin + BATCH], own, quoted=quoted)

    if threads == 1:
        yield from map(part, range(0, len(whole), BATCH))
        return
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        yield from pool.map(part, range(0, len(whole), BATCH))


def _rows(ready: Matcher, texts: pa.Array, codes: Sequence[str | None] | None, *, quoted: bool) -> pa.RecordBatch:
    edges = np.frombuffer(texts.buffers()[1], np.int64)[texts.offset : texts.offset + len(texts) + 1]
    content = texts.buffers()[2]
    data = np.frombuffer(content, np.uint8)[edges[0] : edges[-1]] if content else np.zeros(0, np.uint8)
    offsets = edges - edges[0]
    found = find(ready, data, offsets)
    judged = elements.judge(found, ready.lexicon.weights, codes)
    position = cutting.characters(data, offsets)
    own = measures.vocabularies(ready.known)
    measured = measures.measure(found, own)
    structs = [_element(found, judged, name, offsets, position, data if quoted else None) for name in ELEMENTS]
    return pa.RecordBatch.from_arrays(
        [
            pa.StructArray.from_arrays(structs, names=list(ELEMENTS)),
            _named(judged.narrative, NARRATIVES),
            _named(judged.level, LEVELS),
            pa.array(judged.minutes, pa.int32(), mask=judged.minutes < 0),
            _clock(judged.start),
            _clock(judged.stop),
            pa.array(judged.score),
            _measures(found, measured, own.measures, position),
            *(pa.array(measured.flags[name]) for name in measures.FLAGS),
        ],
        schema=SCHEMA,
    )


def _element(found: Found, judged: Judged, name: str, offsets: Any, position: Any, data: Any) -> pa.StructArray:
    """Return an element of each note: is it present, and the spans that show it with their text, if there is data."""
    matches: Matches = judged.evidence[name]
    note = found.words.note[matches.start]
    begin, end = found.words.start[matches.start], found.words.end[matches.end - 1]
    text = pa.nulls(len(begin), pa.string()) if data is None else _quoted(data, begin, end)
    spans = pa.StructArray.from_arrays(
        [pa.array(position(begin, note), pa.int32()), pa.array(position(end, note), pa.int32()), text],
        fields=list(_SPAN),
    )
    rows = np.searchsorted(note, np.arange(len(offsets))).astype(np.int32)
    lists = pa.ListArray.from_arrays(pa.array(rows), spans)
    return pa.StructArray.from_arrays([pa.array(judged.present[name]), lists], fields=list(_ELEMENT))


def _quoted(data: Any, begin: Any, end: Any) -> pa.StringArray:
    lengths = end - begin
    edges = np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths))).astype(np.int32)
    picked = np.repeat(begin - edges[:-1], lengths) + np.arange(int(edges[-1]))
    return pa.StringArray.from_buffers(
        len(lengths), pa.py_buffer(edges.tobytes()), pa.py_buffer(data[picked].tobytes())
    )


def _measures(found: Found, measured: Measured, names: Sequence[str], position: Any) -> pa.ListArray:
    """Return each note's measures with where they stand."""
    begin, end = found.words.start[measured.start], found.words.end[measured.end - 1]
    rows = pa.StructArray.from_arrays(
        [
            pa.array(names).take(pa.array(measured.measure)),
            pa.array(measured.value),
            pa.array(position(begin, measured.note), pa.int32()),
            pa.array(position(end, measured.note), pa.int32()),
        ],
        fields=list(_MEASURE),
    )
    edges = np.searchsorted(measured.note, np.arange(found.words.first.size)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(edges), rows)


def _named(places: Any, names: Sequence[str]) -> pa.Array:
    return pa.array(names).take(pa.array(places, mask=places < 0))


def _clock(minutes: Any) -> pa.Array:
    times = [f"{minute // 60:02}:{minute % 60:02}" for minute in range(24 * 60)]
    return pa.array(times).take(pa.array(minutes % (24 * 60), mask=minutes < 0))
