"""Indicators that a user has added, as of a time."""

from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

from market import indicators
from market.actions import Split, Told
from market.as_of import Mode, indicators_as_of
from market.batches import Batch, Changes
from market.choices import Choices, parse
from market.frames import to_days
from spark_jobs.batch import Scanned
from spark_jobs.database.reader import Reader
from spark_jobs.database.writer import Writer
from tests.stream.as_of.commits import DAY, NOON_MS, SYMBOL, Rows, TimedStore, ask, batches, indicators_seen, minute
from tests.unit.market.folds import Fold
from tests.unit.market.worlds import INSTRUMENTS, BarEvent, Event, batch_of

pytestmark = pytest.mark.stream

CHOSEN = '["1m"]\nema = [9]\nmacd = [[5, 35, 5]]\nsma = [30]\nbollinger = [[30, 2.5]]\n["5m"]\nrsi = [7]\natr = [7]\nroc = [3]'


COPY_CHOSEN = """
    SELECT v.timeframe, v.name, v.params, (extract(epoch FROM v.ts) * 1000)::bigint, v.value
    FROM v1.indicator_values v JOIN v1.bars b USING (symbol, timeframe, ts)
    WHERE symbol = %s AND session = 'regular' AND is_closed ORDER BY 1, 2, 3, 4"""


def forget_stages(connection: Connection) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE pg_temp.stage, pg_temp.stage_latest, pg_temp.stage_quality")


class ChosenStore(TimedStore):
    """With indicators that a user has added; after each commit a copy of their values, too."""

    def __init__(self, connection: Connection, reader: Connection, chosen: Choices) -> None:
        forget_stages(connection)
        super().__init__(connection, reader)
        forget_stages(connection)
        with connection, connection.cursor() as cursor:
            for choice in chosen.all:
                cursor.execute(
                    "INSERT INTO core.indicator_choices (timeframe, kind, params, code_version) VALUES (%s, %s, %s, 'x')",
                    choice.key,
                )
        self.timed.writer = Writer(connection, "simulator", chosen)
        self.timed.writer.prepare()
        self.reader = Reader(connection, INSTRUMENTS, chosen)
        self.chosen: list[Rows] = []

    def commit(self, changes: Any) -> None:
        super().commit(changes)
        self.chosen.append(ask(self.as_reader, COPY_CHOSEN, SYMBOL))


def chosen_seen(reader: Connection, at: datetime, mode: Mode) -> Rows:
    """In the form of COPY_CHOSEN."""
    found: Rows = []
    with reader, reader.cursor() as cursor:
        for timeframe in ("1m", "5m"):
            told = indicators_as_of(cursor, SYMBOL, timeframe, at, mode, count=10_000)
            for name, params in told.columns[indicators.N_VALUES :]:
                for ts_ms, value in zip(told.ts_ms.tolist(), told.value(name, params).tolist(), strict=True):
                    found.append((timeframe, name, params, ts_ms, None if value != value else value))
    return sorted(found, key=lambda row: row[:4])


def test_indicators_that_a_user_has_added_are_seen_as_they_stood_after_each_commit(
    store: TimedStore, reader: Connection
) -> None:
    chosen = parse(CHOSEN)
    with_choices = ChosenStore(store.connection, reader, chosen)
    fold = Fold(with_choices, chosen)
    for events in islice(batches(), 11):
        fold.step(events)
    assert len({str(rows) for rows in with_choices.chosen}) == 11, "every commit changed something"
    assert {row[1] for row in with_choices.chosen[-1]} >= {"ema", "macd_signal", "sma", "bb_upper", "rsi", "atr", "roc"}
    for commit, rows in zip(with_choices.commits, with_choices.chosen, strict=True):
        assert chosen_seen(reader, commit.after, "seen") == rows
        assert indicators_seen(reader, commit.after) == commit.indicators
    told = chosen_seen(reader, DAY + timedelta(hours=13), "event")
    known_now = {row[:4]: row for row in with_choices.chosen[-1]}
    assert {row[3] for row in told if row[0] == "5m"} == {minute(k) for k in range(-120, 60, 5)}
    assert all(known_now[row[:4]] == row for row in told)


def test_a_choice_whose_history_is_being_written_is_not_there_yet(store: TimedStore, reader: Connection) -> None:
    with_choices = ChosenStore(store.connection, reader, parse(CHOSEN))
    Fold(with_choices, parse(CHOSEN)).step(next(batches()))
    with store.connection, store.connection.cursor() as cursor:
        cursor.execute("UPDATE core.indicator_choices SET code_version = '' WHERE kind = 'macd'")
    with reader, reader.cursor() as cursor:
        told = indicators_as_of(cursor, SYMBOL, "1m", with_choices.commits[-1].after, "seen")
    assert told.columns[indicators.N_VALUES :] == [
        ("sma", "30"), ("ema", "9"), ("bb_upper", "30,2.5"), ("bb_middle", "30,2.5"), ("bb_lower", "30,2.5")
    ]  # fmt: skip
    with pytest.raises(ValueError, match="macd"):
        told.value("macd", "5,35,5")


def test_indicators_across_a_split_are_seen_with_the_splits_that_were_known(
    store: TimedStore, reader: Connection
) -> None:
    #   days          1 .................. 60 | split 4:1 ................ 80
    #   commits       all days, as printed    | the split becomes known    | a correction before it | it was 5:1
    #   asked         after each: as the tables said then
    chosen = parse('["1d"]\nema = [9]\nsma = [15]\nrsi = [7]')
    with_choices = ChosenStore(store.connection, reader, chosen)
    first = (DAY - timedelta(days=90)).date()
    days = [first + timedelta(days=k) for k in range(80)]
    closes = [round(400 + 3 * (k % 7) - k / 10, 2) / (4 if k >= 60 else 1) for k in range(80)]

    def rows(chance: float = 0.0) -> list[Event]:
        return [
            BarEvent(
                SYMBOL, "1d", day, int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000),
                (close, close + 1, close - 1, close + chance, 50.0), NOON_MS + round(chance),
            )
            for day, close in zip(days, closes, strict=True)
        ]  # fmt: skip

    fold = Fold(with_choices, chosen)

    def take(events: list[Event], *told: tuple[float, int]) -> None:
        batch = batch_of(events)
        batch.splits = [Split(SYMBOL, to_days(days[60]), Told(received_ms, ratio)) for ratio, received_ms in told]
        actions = [
            {"symbol": SYMBOL, "ex_date": days[60], "action": "split", "close": ratio, "received_ms": received_ms}
            for ratio, received_ms in told
        ]
        changes = fold.book.apply(batch)
        with store.connection, store.connection.cursor() as cursor:
            with_choices.timed.writer.write(cursor, Changes(), Scanned(Batch(), actions=actions), {}, 0)
        with_choices.commit(changes)
        fold.book.published()

    take(rows())
    take([], (4.0, 1_000))
    take(rows(0.25)[50:52])
    take([], (5.0, 2_000))
    assert len({str(commit.indicators) for commit in with_choices.commits}) == 4, "every commit changed something"
    for commit, copied in zip(with_choices.commits, with_choices.chosen, strict=True):
        assert indicators_seen(reader, commit.after) == commit.indicators
        of_days = [row for row in copied if row[0] == "1d"]
        with reader, reader.cursor() as cursor:
            told = indicators_as_of(cursor, SYMBOL, "1d", commit.after, "seen", count=25)
        for name, params in (("ema", "9"), ("sma", "15"), ("rsi", "7")):
            expected = [row[4] for row in of_days if row[1:3] == (name, params)][-25:]
            assert told.value(name, params).tolist() == expected
    # An average of fifteen closes around 400 printed, and around 100 after the split: by hand, in the shares after it.
    [sma] = [row[4] for row in with_choices.chosen[1] if row[:4] == ("1d", "sma", "15", ms_of(days[62]))]
    assert sma == pytest.approx((sum(closes[48:60]) / 4 + sum(closes[60:63])) / 15)


def ms_of(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
