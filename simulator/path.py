"""The way of the price through a session: from its open past both extremes to its close.

A Brownian path that is known to stay below its maximum keeps away from it like the distance from the origin of a Brownian motion
in three dimensions (Williams, Path decomposition and continuity of local time, 1974). So the distance to the nearer extreme in
time is made of three bridges: first to and from the one extreme, then, from a point on the way between them, the other.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from simulator.noise import Floats, Ints, Keys, normal

# The extremes of a day lie at least this share of its variance apart.
MIN_SEPARATION = 0.12
# By how much the minute that holds an extreme closes inside of it, in its own deviations and at most as a share of the range.
INSIDE_SIGMA, INSIDE_SHARE = 0.6, 0.25


@dataclass(frozen=True, slots=True)
class SessionBars:
    """The bars to fill, one row a session. `sigma` is the deviation from open to close, in ticks."""

    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    sigma: Floats


def extreme_minutes(day: SessionBars, time: Floats, first_minute: Ints, key: Keys) -> tuple[Ints, Ints]:
    """In which minute the day's high and low fall: the farther from open or close, the longer the way there.

    `time` is the share of the session's variance that has passed at the end of each minute.
    """
    position = {}
    for name, from_open, to_close in (
        ("peak", day.high - day.open, day.high - day.close),
        ("trough", day.open - day.low, day.close - day.low),
    ):
        start = (from_open + 0.02 * day.sigma) * np.exp(0.9 * normal(key(name), first_minute))
        position[name] = np.clip(start / (start + to_close + 0.02 * day.sigma), 0.01, 0.97)
    peak, trough = position["peak"], position["trough"]
    middle, gap = 0.5 * (peak + trough), peak - trough
    side = np.where(gap == 0.0, 1.0, np.sign(gap)) * 0.5 * np.maximum(np.abs(gap), MIN_SEPARATION)
    middle = np.clip(middle, MIN_SEPARATION / 2 + 0.005, 0.975 - MIN_SEPARATION / 2)
    last = time.shape[1] - 2
    peak_at = np.minimum((time < (middle + side)[:, None]).sum(axis=1), last)
    trough_at = np.minimum((time < (middle - side)[:, None]).sum(axis=1), last)
    return peak_at, np.where(trough_at == peak_at, (peak_at + 1) % (last + 1), trough_at)


def closes(
    day: SessionBars, walks: Floats, time: Floats, sd: Floats, peak: Ints, trough: Ints, halfway: Floats
) -> Ints:
    """The close of every minute. `walks` are three independent ones, in ticks; `halfway` says where the extremes' ways meet."""
    everyone = np.arange(len(peak))
    first, second = np.minimum(peak, trough), np.maximum(peak, trough)
    turn = (first + second) // 2
    high, low = day.high.astype(np.float64), day.low.astype(np.float64)
    peak_first = peak < trough
    borders = np.where(peak_first, high, low), np.where(peak_first, low, high)
    inside = np.minimum(INSIDE_SIGMA * sd, INSIDE_SHARE * (high - low)[:, None])
    meeting = low + (high - low) * np.clip(0.5 + 0.15 * halfway, 0.2, 0.8)

    pinned = [np.zeros(len(peak)), *(time[everyone, at] for at in (first, turn, second)), np.ones(len(peak))]
    progress = [
        np.clip((time - start[:, None]) / np.maximum(end - start, 1e-12)[:, None], 0.0, 1.0)
        for start, end in pairwise(pinned)
    ]
    bridges = [bridge(walk, (first, turn, second), progress) for walk in walks]

    before_turn = np.arange(time.shape[1])[None, :] <= turn[:, None]
    inside_first, inside_second = inside[everyone, first], inside[everyone, second]
    ways = (
        (np.abs(day.open - borders[0]), inside_first, np.abs(meeting - borders[0]), progress[0], progress[1]),
        (np.abs(meeting - borders[1]), inside_second, np.abs(day.close - borders[1]), progress[2], progress[3]),
    )
    straight = [
        away[:, None] + (near - away)[:, None] * there + (back - near)[:, None] * onwards
        for away, near, back, there, onwards in ways
    ]
    distance = np.where(before_turn, *straight)
    border = np.where(before_turn, borders[0][:, None], borders[1][:, None])
    sign = np.where(before_turn == peak_first[:, None], -1.0, 1.0)
    # The first bridge is the price's own direction, so that what moves the market moves the price.
    path = border + sign * np.sqrt((distance + sign * bridges[0]) ** 2 + bridges[1] ** 2 + bridges[2] ** 2)
    close = reflected(path, low[:, None], high[:, None])
    close[:, -1] = day.close
    return close


def bridge(walk: Floats, at: tuple[Ints, Ints, Ints], progress: list[Floats]) -> Floats:
    """The walk, led back to zero at the given minutes and at the end."""
    everyone = np.arange(len(walk))
    values = [np.zeros(len(walk)), *(walk[everyone, minute] for minute in at), walk[:, -1]]
    led = walk.copy()
    for (was, now), part in zip(pairwise(values), progress, strict=True):
        led -= (now - was)[:, None] * part
    return led


def reflected(path: Floats, low: Floats, high: Floats) -> Ints:
    """The path folded back at both borders: what the far extreme's border still lets through."""
    folded = low + np.abs(path - low)
    folded = high - np.abs(high - folded)
    return np.clip(np.rint(folded), low, high).astype(np.int64)
