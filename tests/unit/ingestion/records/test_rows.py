"""A provider's rows as bars: where they begin, whether they are its last word, and what was printed on the day."""

import base64
import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from ingestion.providers.base import Answer, Row
from ingestion.records.instruments import Instrument
from ingestion.records.rows import MAX_PAYLOAD_BYTES, Records, dead_letter, records_of, refused_answer
from ingestion.records.splits import SplitFactors
from market.contracts import decode
from market.errors import Reason, Rejected

pytestmark = pytest.mark.unit

At = Callable[[str], int]
MONDAY = date(2025, 11, 24)


def row(ts_ms: int, day: date = MONDAY, price: float = 100.0, volume: float = 10.0) -> Row:
    return Row(ts_ms, day, price, price + 1, price - 1, price + 0.5, volume)


def records(answer: Answer, instrument: Instrument, timeframe: str = "1m") -> Records:
    return records_of(answer, instrument, timeframe, "yahoo", SplitFactors(answer.splits))


def test_a_row_is_complete_once_it_has_settled_and_is_not_the_last_of_an_open_session(
    apple: Instrument, at: At
) -> None:
    #  14:30       14:31       14:32       14:33    asked at 14:33:20
    #  settled     settled     < 30 s ago  in progress
    answer = Answer(at("2025-11-24T14:33:20"), [row(at(f"2025-11-24T14:3{minute}")) for minute in range(4)])
    assert [bar.is_complete for bar in records(answer, apple).bars] == [True, True, False, False]


def test_the_last_row_of_an_open_session_is_never_complete(apple: Instrument, at: At) -> None:
    # Nobody traded for five minutes: the last row is old, and still the provider may be writing to it.
    answer = Answer(at("2025-11-24T14:40"), [row(at("2025-11-24T14:34")), row(at("2025-11-24T14:35"))])
    assert [bar.is_complete for bar in records(answer, apple).bars] == [True, False]


def test_the_last_row_of_a_closed_session_is_complete(apple: Instrument, at: At) -> None:
    answer = Answer(at("2025-11-24T21:30"), [row(at("2025-11-24T20:59"))])
    [bar] = records(answer, apple).bars
    assert bar.is_complete


def test_a_row_in_progress_is_floored_to_its_bucket_and_partial(apple: Instrument, at: At) -> None:
    answer = Answer(at("2025-11-24T14:33:20"), [row(at("2025-11-24T14:32")), row(at("2025-11-24T14:33:19"))])
    last = records(answer, apple).bars[-1]
    assert (last.event_ms, last.is_complete) == (at("2025-11-24T14:33"), False)


def test_a_row_in_progress_is_folded_into_the_row_of_its_bucket(apple: Instrument, at: At) -> None:
    aligned = Row(at("2025-11-24T14:33"), MONDAY, 10.0, 12.0, 9.0, 11.0, 500.0)
    stamped = Row(at("2025-11-24T14:33:19"), MONDAY, 13.0, 13.0, 13.0, 13.0, 0.0)
    [bar] = records(Answer(at("2025-11-24T14:33:20"), [aligned, stamped]), apple).bars
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (10.0, 13.0, 9.0, 13.0, 500.0)


def test_a_last_price_without_a_volume_is_no_bar_of_a_minute_in_which_nobody_traded(apple: Instrument, at: At) -> None:
    # 14:32 is settled, 14:33 had no trade: the provider's last row is the price of 14:32 at the second of the request.
    settled, asked_ms = row(at("2025-11-24T14:32")), at("2025-11-24T14:33:20")
    for stamp in ("2025-11-24T14:33:19", "2025-11-24T14:33"):
        quote = Row(at(stamp), MONDAY, 100.5, 100.5, 100.5, 100.5, 0.0)
        assert [bar.event_ms for bar in records(Answer(asked_ms, [settled, quote]), apple).bars] == [settled.ts_ms]
        assert records(Answer(asked_ms, [quote]), apple).bars == []
    # An index has no volumes; its minute at one price is a bar once it has ended.
    over = Row(at("2025-11-24T14:32"), MONDAY, 100.5, 100.5, 100.5, 100.5, 0.0)
    assert [bar.event_ms for bar in records(Answer(asked_ms, [over]), apple).bars] == [over.ts_ms]


def test_hours_are_counted_from_the_open(apple: Instrument, at: At) -> None:
    answer = Answer(at("2025-11-24T23:00"), [row(at("2025-11-24T14:30")), row(at("2025-11-24T20:30"))])
    bars = records(answer, apple, "1h").bars
    assert [bar.event_ms for bar in bars] == [at("2025-11-24T14:30"), at("2025-11-24T20:30")]
    # The last hour of New York is half an hour long, and over at the close.
    assert [bar.is_complete for bar in bars] == [True, True]


def test_an_hour_that_is_not_counted_from_the_open_is_partial(apple: Instrument, at: At) -> None:
    [bar, _] = records(
        Answer(at("2025-11-24T23:00"), [row(at("2025-11-24T15:00")), row(at("2025-11-24T15:30"))]), apple, "1h"
    ).bars
    assert (bar.event_ms, bar.is_complete) == (at("2025-11-24T14:30"), False)


def test_rows_outside_of_the_session_are_extended_hours(apple: Instrument, at: At) -> None:
    minutes = ["2025-11-24T09:00", "2025-11-24T14:29", "2025-11-24T14:30", "2025-11-24T20:59", "2025-11-24T21:00"]
    answer = Answer(at("2025-11-24T23:00"), [row(at(minute)) for minute in minutes])
    bars = records(answer, apple).bars
    assert [bar.session for bar in bars] == ["ext", "ext", "regular", "regular", "ext"]
    assert {bar.session_date for bar in bars} == {"2025-11-24"}
    assert [bar.event_ms for bar in bars] == [at(minute) for minute in minutes]


def test_a_day_begins_with_its_sessions_open_and_ends_with_its_close(apple: Instrument, at: At) -> None:
    # yfinance stamps a day with local midnight; 2025-11-28 closes at 13:00 in New York.
    rows = [row(at("2025-11-26T05:00"), date(2025, 11, 26)), row(at("2025-11-28T05:00"), date(2025, 11, 28))]
    bars = records(Answer(at("2025-11-28T18:01"), rows), apple, "1d").bars
    assert [bar.event_ms for bar in bars] == [at("2025-11-26T14:30"), at("2025-11-28T14:30")]
    assert [bar.session_date for bar in bars] == ["2025-11-26", "2025-11-28"]
    assert [bar.is_complete for bar in bars] == [True, True]


def test_the_day_of_an_open_session_is_partial(apple: Instrument, at: At) -> None:
    [bar] = records(Answer(at("2025-11-28T16:00"), [row(at("2025-11-28T05:00"), date(2025, 11, 28))]), apple, "1d").bars
    assert not bar.is_complete


def test_prices_and_volumes_before_a_split_are_as_they_were_printed(apple: Instrument, at: At) -> None:
    # Apple split 4:1 on 2020-08-31. On Friday the 28th it closed at 499.23 with 46.9 million shares; providers now say
    # 124.8075 and 187.6 million.
    before = Row(at("2020-08-28T04:00"), date(2020, 8, 28), 126.0125, 126.4425, 124.5775, 124.8075, 187_630_000.0)
    after = Row(at("2020-08-31T04:00"), date(2020, 8, 31), 127.58, 131.0, 126.0, 129.04, 225_702_700.0)
    answer = Answer(at("2020-09-01T12:00"), [before, after], splits=[(date(2020, 8, 31), 4.0)])
    made = records(answer, apple, "1d")
    assert [bar.close for bar in made.bars] == [499.23, 129.04]
    assert [bar.volume for bar in made.bars] == [46_907_500.0, 225_702_700.0]
    [split] = made.actions
    assert (split.action, split.value, split.event_ms) == ("split", 4.0, at("2020-08-31T13:30"))


def test_a_dividend_before_a_split_is_what_was_paid(apple: Instrument, at: At) -> None:
    answer = Answer(at("2020-09-01T12:00"), splits=[(date(2020, 8, 31), 4.0)], dividends=[(date(2020, 8, 7), 0.205)])
    assert [(action.action, action.value) for action in records(answer, apple, "1d").actions] == [
        ("split", 4.0),
        ("dividend", 0.82),
    ]


def test_float32_noise_is_rounded_to_the_instruments_precision(apple: Instrument, at: At) -> None:
    noisy = Row(at("2025-11-24T14:30"), MONDAY, 195.64999389648438, 195.66000366210938, 195.6300048828125, 195.64, 1.0)
    [bar] = records(Answer(at("2025-11-24T23:00"), [noisy]), apple).bars
    assert (bar.open, bar.high, bar.low) == (195.65, 195.66, 195.63)


def test_an_instrument_without_volume_has_none(apple: Instrument, at: At) -> None:
    [bar] = records(
        Answer(at("2025-11-24T23:00"), [row(at("2025-11-24T14:30"))]), replace(apple, has_volume=False)
    ).bars
    assert bar.volume is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"open": math.nan}, Reason.MISSING_FIELD),
        ({"close": -1.0, "low": -2.0}, Reason.BAD_PRICE),
        ({"high": 50.0}, Reason.BAD_RANGE),
        ({"volume": -5.0}, Reason.BAD_VOLUME),
        ({"volume": math.nan}, Reason.BAD_VOLUME),
        ({"ts_ms": 1_764_000_000_000_000_000}, Reason.BAD_TIME),
        ({"ts_ms": -(2**62)}, Reason.BAD_TIME),
        ({"ts_ms": 4_000_000_020_000}, Reason.FUTURE),
    ],
)
def test_a_row_that_cannot_be_is_a_dead_letter_and_the_others_go_on(
    apple: Instrument, at: At, change: dict[str, float], reason: Reason
) -> None:
    bad, good = replace(row(at("2025-11-24T14:30")), **change), row(at("2025-11-24T14:31"))
    made = records(Answer(at("2025-11-24T23:00"), [bad, good]), apple)
    assert [bar.event_ms for bar in made.bars] == [good.ts_ms]
    [letter] = made.dead_letters
    assert (letter.reason, letter.symbol) == (reason.value, "AAPL")
    assert json.loads(base64.b64decode(letter.payload))["ts_ms"] == bad.ts_ms


def test_the_same_bad_row_has_the_same_hash_however_often_it_is_fetched(apple: Instrument, at: At) -> None:
    bad = replace(row(at("2025-11-24T14:30")), high=50.0)
    first, second = (
        records(Answer(at(f"2025-11-24T23:0{minute}"), [bad]), apple).dead_letters[0].content_hash for minute in (1, 2)
    )
    assert first == second


def test_an_original_that_is_too_large_for_a_record_is_kept_to_its_beginning() -> None:
    original = bytes(range(256)) * 200
    letter = dead_letter(original, Rejected(Reason.NOT_JSON, "no"), "yahoo", 1, 2)
    assert decode(letter.encode()) == letter
    assert base64.b64decode(letter.payload) == original[:MAX_PAYLOAD_BYTES]
    assert f"of {len(original)} bytes" in letter.detail


@pytest.mark.parametrize(("body", "reason"), [(b"<html>", Reason.NOT_JSON), (b'{"chart":null}', Reason.MISSING_FIELD)])
def test_an_answer_that_cannot_be_read_is_kept_whole(body: bytes, reason: Reason) -> None:
    letter = refused_answer(body, "AAPL: no", "yahoo", 5, "AAPL")
    assert (letter.reason, base64.b64decode(letter.payload), letter.symbol) == (reason.value, body, "AAPL")
