"""Random numbers by address: the same key and counter give the same number, in any order and in any process.

Everything random in the simulated exchange comes from here. A key names a stream (seed, symbol, purpose), a counter a place
in it (a day, a minute, a trade). Integer arithmetic makes the bits, so they do not depend on NumPy's own generators.
"""

import hashlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
# Of a purpose, the key of its stream.
Keys = Callable[[str], np.uint64]

# The increment and the multipliers of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST_MULTIPLIER = np.uint64(0xBF58476D1CE4E5B9)
SECOND_MULTIPLIER = np.uint64(0x94D049BB133111EB)
SHIFTS = tuple(np.uint64(n) for n in (30, 27, 31))

LANE = np.uint64(0xFFFF)
LANE_SHIFTS = tuple(np.uint64(n) for n in (16, 32, 48))
# The sum of four uniform 16-bit lanes has mean 2 * 65535 and variance 4 * (65536**2 - 1) / 12.
LANE_MEAN = 2.0 * 65_535.0
LANE_SCALE = 1.0 / np.sqrt(4.0 * (65_536.0**2 - 1.0) / 12.0)


def key_of(*parts: object) -> np.uint64:
    """The key of a stream, from what names it."""
    text = "\x1f".join(str(part) for part in parts)
    return np.uint64(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big"))


def bits(key: np.uint64, counter: Ints) -> NDArray[np.uint64]:
    """64 random bits for each counter."""
    x = counter.astype(np.uint64)
    x *= GOLDEN
    x += key
    x ^= x >> SHIFTS[0]
    x *= FIRST_MULTIPLIER
    x ^= x >> SHIFTS[1]
    x *= SECOND_MULTIPLIER
    x ^= x >> SHIFTS[2]
    return x


def uniform(key: np.uint64, counter: Ints) -> Floats:
    """Uniform on the open interval (0, 1)."""
    return ((bits(key, counter) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def normal(key: np.uint64, counter: Ints) -> Floats:
    """Mean 0, variance 1, nearly normal up to 3.4 deviations; the models add their own fat tails."""
    x = bits(key, counter)
    total = x & LANE
    for shift in LANE_SHIFTS:
        total += (x >> shift) & LANE
    deviates: Floats = (total.astype(np.float64) - LANE_MEAN) * LANE_SCALE
    return deviates


def smooth(key: np.uint64, position: Floats) -> Floats:
    """Smooth noise along a line, with an independent normal value at every whole position."""
    left = np.floor(position)
    knot = left.astype(np.int64)
    first = int(knot.min())
    values = normal(key, np.arange(first, int(knot.max()) + 2, dtype=np.int64))
    knot -= first
    fraction = position - left
    start = values[knot]
    return start + (values[knot + 1] - start) * (fraction * fraction * (3.0 - 2.0 * fraction))


def layered(key_parts: tuple[object, ...], time: Floats, layers: tuple[tuple[float, float], ...]) -> Floats:
    """Smooth noise on several time scales at once, given as (scale, weight): what volatility clustering looks like."""
    total = np.zeros_like(time)
    for scale, weight in layers:
        total += weight * smooth(key_of(*key_parts, scale), time / scale)
    return total
