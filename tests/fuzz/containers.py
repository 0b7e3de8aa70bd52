"""Changes of binary formats that leave the frame whole, so that they reach what reads the content."""

from __future__ import annotations

import io
import json
import struct
import warnings
import zipfile
from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .hostile import NUMBERS, TEXTS, TOKENS
from .mutations import hostile_value, of_bytes, of_json


def of_safetensors(random: Random, data: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Another header of the right or a wrong length, or other bytes."""
    if random.random() < 0.3:
        return of_bytes(random, data, others)
    (size,) = struct.unpack("<Q", data[:8])
    header = of_json(random, data[8 : 8 + size])
    said = random.choice((len(header),) * 6 + (0, 10**9, 2**63, 2**64 - 1))
    return struct.pack("<Q", said) + header + data[8 + size :]


def of_npz(random: Random, data: bytes, others: Sequence[bytes] = ()) -> bytes:
    """An archive with members renamed, doubled, pickled, or with other headers of arrays; or other bytes."""
    if random.random() < 0.4:
        return of_bytes(random, data, others)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    for _ in range(random.choice((1, 1, 2))):
        at = random.randrange(len(members))
        name, content = members[at]
        how = random.randrange(5)
        if how == 0:
            members[at] = (random.choice(("../x.npy", "/etc/x.npy", "x/../../y", "", *TEXTS[:20])), content)
        elif how == 1:
            members.append((name, of_bytes(random, content)))
        elif how == 2:
            members[at] = (name, _array(np.array([{"a": 1}, None], dtype=object)))
        elif how == 3:
            members[at] = (name, _array(_odd_array(random)))
        else:
            members[at] = (name, of_bytes(random, content[:128]) + content[128:])
    out = io.BytesIO()
    kind = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", kind) as archive:
        warnings.simplefilter("ignore")  # of a name that comes twice, as is meant
        for name, content in members:
            archive.writestr(
                zipfile.ZipInfo(name.encode("utf-8", "replace").decode().replace("\0", "") or "x"), content
            )
    return out.getvalue()


def _array(array: Any) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, array, allow_pickle=True)
    return out.getvalue()


def _odd_array(random: Random) -> Any:
    shape = random.choice(((), (0,), (3,), (0, 5), (24, 60), (60, 24), (1, 1, 1), (60,), (2, 3, 4, 5)))
    kind = random.choice(("<f8", ">f4", "<f2", "<i8", "?", "S3", "U2", "M8[s]", "c8", "V4", "f4,i4"))
    return np.zeros(shape, dtype=kind)


def of_parquet(random: Random, data: bytes, others: Sequence[bytes] = ()) -> bytes:
    """A table with columns dropped, doubled, of other types, with odd cells or metadata; or other bytes."""
    if random.random() < 0.35:
        return of_bytes(random, data, others)
    table = pq.read_table(io.BytesIO(data))
    for _ in range(random.choice((1, 1, 2, 3))):
        try:
            table = _changed_table(random, table)
        except (pa.ArrowException, ValueError, TypeError, OverflowError, KeyError):
            continue  # not every column can become everything
    out = io.BytesIO()
    try:
        pq.write_table(table, out, compression=random.choice(("snappy", "none", "gzip")))
    except (pa.ArrowException, ValueError, TypeError):
        return of_bytes(random, data, others)
    return out.getvalue()


def _changed_table(random: Random, table: Any) -> Any:
    if not table.num_columns:
        return table
    at = random.randrange(table.num_columns)
    name, column = table.column_names[at], table.column(at)
    how = random.randrange(8)
    if how == 0:
        return table.remove_column(at)
    if how == 1:
        return table.append_column(name if random.random() < 0.5 else _text(random), column)
    if how == 2:
        return table.slice(0, random.choice((0, 1, table.num_rows)))
    if how == 3:
        return pa.concat_tables([table, table])
    if how == 4:
        metadata = dict(table.schema.metadata or {})
        key = random.choice((*metadata, b"pyvalue", b"pandas"))
        metadata[key] = _metadata(random, metadata.get(key, b"{}"))
        return table.replace_schema_metadata(metadata)
    if how == 5:
        kind = random.choice(_KINDS)
        return table.set_column(at, name, column.cast(kind, safe=False))
    if how == 6:
        return table.set_column(at, name, pa.array([random.choice(_CELLS)] * table.num_rows))
    cells = column.to_pylist()
    if cells:
        cells[random.randrange(len(cells))] = (
            _text(random) if pa.types.is_string(column.type) else random.choice(NUMBERS)
        )
    return table.set_column(at, name, pa.array(cells, type=column.type))


_KINDS = (pa.string(), pa.large_string(), pa.binary(), pa.int8(), pa.int64(), pa.uint64(), pa.float16(), pa.float32(),
          pa.float64(), pa.bool_(), pa.timestamp("ns"), pa.date32(), pa.null(), pa.decimal128(20, 2), pa.duration("s"),
          pa.dictionary(pa.int32(), pa.string()), pa.list_(pa.string()))  # fmt: skip
_CELLS: tuple[Any, ...] = (
    None,
    True,
    1,
    -7,
    1.5,
    float("nan"),
    float("inf"),
    "x",
    b"\xff",
    [1, 2],
    ["a"],
    {"a": 1},
    "",
    "yes",
    2**62,
)


def _text(random: Random) -> str:
    return random.choice(TEXTS).encode("utf-8", "replace").decode()


def _metadata(random: Random, now: bytes) -> bytes:
    how = random.randrange(3)
    if how == 0:
        return random.choice(TOKENS)
    if how == 1:
        return json.dumps(hostile_value(random), default=str).encode("utf-8", "replace")
    return of_json(random, now)
