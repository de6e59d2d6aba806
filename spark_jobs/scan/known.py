"""The symbols of a platform as a scan looks them up: by their bytes, a hundred thousand times a batch."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

FNV_OFFSET, FNV_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
NOT_KNOWN = -1


@dataclass(frozen=True, slots=True)
class Known:
    """Names with their numbers. `slots` is a hash table (FNV-1a, open addressing) over the UTF-8 bytes of the names."""

    names: pa.Array
    code_of: dict[str, int]
    text: NDArray[np.uint8]
    ends: NDArray[np.int64]
    slots: NDArray[np.int32]

    @classmethod
    def of(cls, names: list[str]) -> "Known":
        encoded = [name.encode() for name in names]
        text = np.frombuffer(b"".join(encoded) or b"\0", np.uint8)
        ends = np.cumsum([0, *(len(name) for name in encoded)])
        slots = np.full(1 << max(3, (2 * len(names)).bit_length()), NOT_KNOWN, np.int32)
        fill(text, ends, slots)
        return cls(pa.array(names, pa.string()), {name: code for code, name in enumerate(names)}, text, ends, slots)


@njit(cache=True)
def fill(text, ends, slots):  # type: ignore[no-untyped-def]
    last = np.uint64(len(slots) - 1)
    for code in range(len(ends) - 1):
        at = hash_of(text, ends[code], ends[code + 1]) & last
        while slots[at] != NOT_KNOWN:
            at = (at + np.uint64(1)) & last
        slots[at] = code


@njit(cache=True)
def hash_of(data, start, stop):  # type: ignore[no-untyped-def]
    found = FNV_OFFSET
    for at in range(start, stop):
        found = (found ^ np.uint64(data[at])) * FNV_PRIME
    return found


@njit(cache=True)
def code_of(data, start, stop, text, ends, slots):  # type: ignore[no-untyped-def]
    """The number of the name that stands in data[start:stop], or NOT_KNOWN."""
    last = np.uint64(len(slots) - 1)
    at = hash_of(data, start, stop) & last
    while slots[at] != NOT_KNOWN:
        code = slots[at]
        begin = ends[code]
        if ends[code + 1] - begin == stop - start:
            k = 0
            while k < stop - start and text[begin + k] == data[start + k]:
                k += 1
            if k == stop - start:
                return code
        at = (at + np.uint64(1)) & last
    return NOT_KNOWN
