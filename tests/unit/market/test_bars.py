"""The merge rule of one bar, and the volume that ticks tell."""

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market import bars
from market.bars import CONTENT, NONE, OURS, PROVIDER_COMPLETE, PROVIDER_PARTIAL, ROLLED_UP, Rows, empty_rows
from market.timeframes import MINUTE_MS

pytestmark = pytest.mark.unit

TS = 1_795_012_200_000


@dataclass(frozen=True)
class Ticks:
    """A partial bar of ticks: (ms into the minute, day volume, price)."""

    ticks: tuple[tuple[int, int, float], ...]
    received_ms: int


@dataclass(frozen=True)
class Provider:
    ohlc: tuple[float, float, float, float]
    volume: float
    is_complete: bool
    fetched_ms: int


Piece = Ticks | Provider

# Few prices, times and volumes, so that equal ones meet.
prices = st.sampled_from([9.99, 10.0, 10.01])
tick = st.tuples(st.sampled_from([0, 1, 30_000]), st.sampled_from([NONE, 0, 100, 101]), prices)
tick_pieces = st.builds(Ticks, st.lists(tick, min_size=1, max_size=3).map(tuple), st.sampled_from([5, 6]))
provider_pieces = st.builds(
    Provider,
    st.tuples(*[prices] * 4).map(lambda four: (four[0], max(four), min(four), four[3])),
    st.sampled_from([0.0, 5.0, float("nan")]),
    st.booleans(),
    st.sampled_from([7, 8]),
)
pieces = st.one_of(tick_pieces, provider_pieces)


def partial_row(piece: Ticks) -> Rows:
    first, last = min(piece.ticks), max(piece.ticks)
    row = empty_rows(1)
    row["open"], row["close"] = first[2], last[2]
    row["high"], row["low"] = max(one[2] for one in piece.ticks), min(one[2] for one in piece.ticks)
    row["first_ms"], row["first_volume"] = first[:2]
    row["last_ms"], row["last_volume"] = last[:2]
    row["day_volume"] = max(one[1] for one in piece.ticks)
    row["ticks"], row["event_ms"], row["received_ms"] = len(piece.ticks), last[0], piece.received_ms
    return row


def provider_row(piece: Provider) -> Rows:
    row = empty_rows(1)
    for name, number in zip(CONTENT, (*piece.ohlc, piece.volume), strict=True):
        row[name] = number
    row["origin"] = PROVIDER_COMPLETE if piece.is_complete else PROVIDER_PARTIAL
    row["provider_ms"] = row["received_ms"] = piece.fetched_ms
    row["event_ms"] = MINUTE_MS if piece.is_complete else piece.fetched_ms
    return row


def with_piece(row: Rows, piece: Piece) -> Rows:
    if isinstance(piece, Ticks):
        return bars.merge_ticks(row, partial_row(piece))
    return bars.merge_provider(row, provider_row(piece))


def merged(order: list[Piece]) -> dict[str, Any]:
    row = empty_rows(1)
    for piece in order:
        row = with_piece(row, piece)
    told = dict(zip(bars.BAR.names, row[0].tolist(), strict=True))
    return {name: None if number != number else number for name, number in told.items()}


def plain(order: list[Piece]) -> dict[str, Any]:
    """What the rule says in words, computed from all pieces at once."""
    seen = [one for piece in order if isinstance(piece, Ticks) for one in piece.ticks]
    said = [piece for piece in order if isinstance(piece, Provider)]
    complete = [piece for piece in said if piece.is_complete]
    told: dict[str, Any] = {"ticks": len(seen), "day_volume": max((one[1] for one in seen), default=NONE)}
    if seen:
        told |= {
            "first_ms": min(seen)[0],
            "first_volume": min(seen)[1],
            "last_ms": max(seen)[0],
            "last_volume": max(seen)[1],
        }
    if seen and not complete:
        return told | {
            "open": min(seen)[2], "close": max(seen)[2], "high": max(one[2] for one in seen), "low": min(one[2] for one in seen),
            "volume": None, "origin": OURS, "provider_ms": 0, "event_ms": max(one[0] for one in seen),
            "received_ms": max(piece.received_ms for piece in order if isinstance(piece, Ticks)),
        }  # fmt: skip
    if not said:
        return told
    newest = max(
        complete or said, key=lambda piece: (piece.fetched_ms, piece.ohlc, np.nan_to_num(piece.volume, nan=-1))
    )
    told |= dict(zip(CONTENT, (*newest.ohlc, None if newest.volume != newest.volume else newest.volume), strict=True))
    return told | {
        "origin": PROVIDER_COMPLETE if complete else PROVIDER_PARTIAL, "provider_ms": newest.fetched_ms,
        "event_ms": MINUTE_MS if complete else newest.fetched_ms, "received_ms": newest.fetched_ms,
    }  # fmt: skip


@given(st.lists(pieces, min_size=1, max_size=6), st.randoms())
def test_the_order_of_arrival_decides_nothing(order: list[Piece], random: Any) -> None:
    shuffled = order.copy()
    random.shuffle(shuffled)
    assert merged(shuffled) == merged(order)


@given(st.lists(pieces, min_size=1, max_size=6))
def test_a_bar_is_what_the_rule_says_of_all_that_is_known(order: list[Piece]) -> None:
    expected, found = plain(order), merged(order)
    assert {name: found[name] for name in expected} == expected


@given(st.lists(pieces, min_size=1, max_size=4), st.data())
def test_what_comes_twice_changes_nothing_but_the_count_of_ticks(order: list[Piece], data: st.DataObject) -> None:
    again = order + data.draw(st.lists(st.sampled_from(order), min_size=1, max_size=4))
    assert merged(again) | {"ticks": 0} == merged(order) | {"ticks": 0}


@given(st.lists(tick, min_size=2, max_size=6), st.integers(1, 5))
def test_partial_bars_may_be_made_of_any_share_of_the_ticks(ticks: list[tuple[int, int, float]], cut: int) -> None:
    """Associative: an executor may fold any part of a minute before the driver merges the parts."""
    parts = [Ticks(tuple(part), 5) for part in (ticks[:cut], ticks[cut:]) if part]
    singly = [Ticks((one,), 5) for one in ticks]
    assert merged(parts) == merged(singly) == merged([Ticks(tuple(ticks), 5)])


@given(st.lists(st.tuples(pieces, pieces), min_size=1, max_size=5))
def test_bars_merge_side_by_side_as_they_do_alone(pairs: list[tuple[Piece, Piece]]) -> None:
    """Rows of one call never look at each other."""
    ticks = [pair for pair in pairs if isinstance(pair[1], Ticks)]
    provider = [pair for pair in pairs if isinstance(pair[1], Provider)]
    for group, merge, row_of in ((ticks, bars.merge_ticks, partial_row), (provider, bars.merge_provider, provider_row)):
        if not group:
            continue
        known = np.concatenate([bars.join([with_piece(empty_rows(1), first)]) for first, _ in group])
        together = merge(known, np.concatenate([row_of(second) for _, second in group]))
        alone = [merge(with_piece(empty_rows(1), first), row_of(second)) for first, second in group]
        assert [str(row) for row in together.tolist()] == [str(row[0]) for rows in alone for row in [rows.tolist()]]


def test_precedence_is_complete_then_ticks_then_a_row_in_progress() -> None:
    partial = Provider((1.0, 1.0, 1.0, 1.0), 1.0, False, 999)
    ours = Ticks(((0, 5, 2.0),), 5)
    early = Provider((3.0, 3.0, 3.0, 3.0), 3.0, True, 10)
    late = Provider((4.0, 4.0, 4.0, 4.0), 4.0, True, 20)
    assert merged([partial])["close"] == 1.0
    for order in permutations([partial, ours]):
        assert merged(list(order))["close"] == 2.0
    for order in permutations([partial, ours, early]):
        assert merged(list(order))["close"] == 3.0
    for order in permutations([partial, ours, early, late]):
        assert merged(list(order))["close"] == 4.0


OPEN = TS - 30 * MINUTE_MS  # the session's open, half an hour before the bar


def bar_of_ticks(ts: int, first: tuple[int, int], last: tuple[int, int], *, session_date: int = 20_000) -> Rows:
    """A bar whose first and last tick are at (ms into the bar, day volume)."""
    row = empty_rows(1)
    row["ts"], row["session_date"], row["session_open"], row["origin"], row["ticks"] = ts, session_date, OPEN, OURS, 2
    row["first_ms"], row["first_volume"] = ts + first[0], first[1]
    row["last_ms"], row["last_volume"] = ts + last[0], last[1]
    row["day_volume"] = max(first[1], last[1])
    return row


NOTHING = empty_rows(1)
MINUTE_BEFORE = TS - MINUTE_MS
BEFORE_AT_10_S = bar_of_ticks(MINUTE_BEFORE, (0, 400), (10_000, 500))
VOLUMES = [
    #  before                     this bar
    #  |        500 at :59 |  520 at :01   560 at :58 |                60 since the bar before
    ("goes on from the bar before", bar_of_ticks(MINUTE_BEFORE, (0, 400), (59_000, 500)), (1_000, 520), (58_000, 560), 60.0),
    #  |  500 at :10        |               560 at :40 |               90 s between them: still no hole
    ("ninety seconds are no hole", BEFORE_AT_10_S, (40_000, 560), (40_000, 560), 60.0),
    #  |  500 at :10        |        520 at :40.001    560 |           a hole: what was traded in it is not this bar's
    ("after a hole from its own first tick", BEFORE_AT_10_S, (40_001, 520), (50_000, 560), 40.0),
    #  (nothing)            |  520 at :01   560 at :58 |               the platform started in mid-session
    ("nothing before, long after the open", NOTHING, (1_000, 520), (58_000, 560), 40.0),
    #  another session      |  520 at :01   560 at :58 |
    ("yesterday's bar is not before it", bar_of_ticks(MINUTE_BEFORE, (0, 0), (59_000, 500), session_date=19_999), (1_000, 520),
     (58_000, 560), 40.0),
    #  provider's row, no ticks |  520     560 |                        no day volume to go on from
    ("a bar before without ticks", empty_rows(1), (1_000, 520), (58_000, 560), 40.0),
    #  |        600 at :59 |  520 at :01   560 at :58 |                the provider corrected its count downwards
    ("never negative", bar_of_ticks(MINUTE_BEFORE, (0, 400), (59_000, 600)), (1_000, 520), (58_000, 560), 0.0),
    #  |  500               |  560 at :01   520 at :58 |               the highest counts, not the last
    ("by the highest day volume", bar_of_ticks(MINUTE_BEFORE, (0, 400), (59_000, 500)), (1_000, 560), (58_000, 520), 60.0),
    #  |  500               |  no day volume in its ticks |
    ("unknown without a day volume", bar_of_ticks(MINUTE_BEFORE, (0, 400), (59_000, 500)), (1_000, NONE), (58_000, NONE), None),
    #  |  no day volume     |  520          560 |
    ("the bar before had none", bar_of_ticks(MINUTE_BEFORE, (0, NONE), (59_000, NONE)), (1_000, 520), (58_000, 560), 40.0),
]  # fmt: skip


@pytest.mark.parametrize(("what", "before", "first", "last", "expected"), VOLUMES, ids=[case[0] for case in VOLUMES])
def test_a_bars_volume_is_what_the_day_volume_grew_since_the_bar_before(
    what: str, before: Rows, first: tuple[int, int], last: tuple[int, int], expected: float | None
) -> None:
    if "without ticks" in what:
        before["ts"], before["session_date"] = MINUTE_BEFORE, 20_000
    [found] = bars.tick_volume(bar_of_ticks(TS, first, last), before).tolist()
    assert (None if found != found else found) == expected


@pytest.mark.parametrize(("late_by_ms", "expected"), [(0, 560.0), (90_000, 560.0), (90_001, 40.0)])
def test_the_first_bar_of_a_session_counts_from_zero(late_by_ms: int, expected: float) -> None:
    #  open |  520 (within 90 s of the open)   560
    row = bar_of_ticks(OPEN + late_by_ms // MINUTE_MS * MINUTE_MS, (late_by_ms % MINUTE_MS, 520), (59_999, 560))
    yesterday = bar_of_ticks(OPEN - 17 * 60 * MINUTE_MS, (0, 1), (1, 9_000), session_date=19_999)
    for before in (NOTHING, yesterday):
        assert bars.tick_volume(row, before).tolist() == [expected]


def minute(k: int, ohlc: tuple[float, float, float, float], volume: float, origin: int = OURS, **more: Any) -> Rows:
    row = empty_rows(1)
    row["ts"], row["end"] = TS + k * MINUTE_MS, TS + (k + 1) * MINUTE_MS
    for name, number in zip(CONTENT, (*ohlc, volume), strict=True):
        row[name] = number
    row["origin"], row["ticks"], row["final"], row["event_ms"] = origin, k + 1, True, TS + k
    for name, number in more.items():
        row[name] = number
    return row


def test_a_roll_up_opens_with_the_first_child_and_closes_with_the_last() -> None:
    #  group 1: minutes 0, 1, 3 (2 is missing)     group 2: minute 5
    nan = float("nan")
    children = bars.join(
        [
            minute(0, (10, 12, 9, 11), 5.0),
            minute(1, (11, 15, 11, 12), nan),
            minute(3, (12, 13, 8, 9), 7.0, final=False),
            minute(5, (7, 7, 7, 7), nan),
        ]
    )
    first, second = bars.roll_up(children, np.array([0, 3]), are_minutes=True)
    assert [first[name] for name in CONTENT] == [10, 15, 8, 9, 12]
    assert (first["ticks"], first["event_ms"], first["final"], first["closed"], first["origin"]) == (
        7,
        TS + 3,
        False,
        False,
        OURS,
    )
    assert [second[name] for name in CONTENT[:4]] == [7, 7, 7, 7]
    assert np.isnan(second["volume"])
    assert second["final"]


@pytest.mark.parametrize(
    ("origins", "are_minutes", "expected"),
    [
        ((PROVIDER_COMPLETE, PROVIDER_COMPLETE), True, OURS),  # minutes are ours, whoever told them
        ((PROVIDER_COMPLETE, PROVIDER_COMPLETE), False, ROLLED_UP),
        ((ROLLED_UP, PROVIDER_PARTIAL), False, ROLLED_UP),
        ((PROVIDER_COMPLETE, OURS), False, OURS),
    ],
)
def test_a_roll_up_is_ours_when_a_minute_is_in_it(origins: tuple[int, int], are_minutes: bool, expected: int) -> None:
    children = bars.join([minute(k, (1, 1, 1, 1), 1.0, origin) for k, origin in enumerate(origins)])
    assert bars.roll_up(children, np.array([0]), are_minutes=are_minutes)["origin"].tolist() == [expected]


def test_same_content_takes_two_missing_volumes_for_equal() -> None:
    nan = float("nan")
    left = bars.join([minute(0, (1, 1, 1, 1), volume) for volume in (nan, nan, 1.0, 1.0)])
    right = bars.join([minute(0, (1, 1, 1, 1), volume) for volume in (nan, 1.0, nan, 1.0)])
    assert bars.same_content(left, right).tolist() == [True, False, False, True]
