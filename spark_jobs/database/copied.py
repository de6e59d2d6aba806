"""COPY's binary format as a NumPy array: for queries whose columns are all of a fixed length and never NULL.

Fifty columns of a million rows come in seconds this way, and in minutes as Python objects.
"""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg2.extensions import cursor as Cursor

# PostgreSQL counts microseconds and days from 2000-01-01.
EPOCH_MS = 946_684_800_000
EPOCH_DAYS = 10_957

TYPES = {"float8": ">f8", "int8": ">i8", "int4": ">i4", "int2": ">i2", "bool": "?", "timestamptz": ">i8", "date": ">i4"}
HEADER_BYTES, TRAILER_BYTES = 19, 2


def read(cursor: Cursor, query: str, arguments: Any, columns: dict[str, str]) -> NDArray[np.void]:
    """The rows of a query as an array with a field a column (name → type); times in milliseconds and days since 1970."""
    buffer = io.BytesIO()
    text = cursor.mogrify(query, arguments).decode()
    cursor.copy_expert(f"COPY ({text}) TO STDOUT (FORMAT binary)", buffer)
    layout: list[tuple[str, str]] = [("fields", ">i2")]
    for name, kind in columns.items():
        layout += [(name + " length", ">i4"), (name, TYPES[kind])]
    data = buffer.getbuffer()
    found = np.frombuffer(data[HEADER_BYTES : len(data) - TRAILER_BYTES], np.dtype(layout))
    native = np.dtype([(name, np.dtype(TYPES[kind]).newbyteorder("=")) for name, kind in columns.items()])
    rows = np.empty(len(found), native)
    for name, kind in columns.items():
        values = found[name]
        if kind == "timestamptz":
            rows[name] = values // 1000 + EPOCH_MS
        elif kind == "date":
            rows[name] = values + EPOCH_DAYS
        else:
            rows[name] = values
    return rows
