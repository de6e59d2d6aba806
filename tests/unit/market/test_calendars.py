"""Expected sessions are the exchanges' own published hours, written out in UTC."""

from datetime import UTC, date, datetime

import numpy as np
import pytest

from market import calendars
from market.errors import UnknownCalendar


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("exchange", "instrument_type", "calendar"),
    [
        ("NMS", "EQUITY", "XNYS"),
        ("NYQ", "EQUITY", "XNYS"),
        ("PCX", "ETF", "XNYS"),
        ("LSE", "EQUITY", "XLON"),
        ("GER", "EQUITY", "XETR"),
        ("JPX", "EQUITY", "XTKS"),
        ("SNP", "INDEX", "XNYS"),
        ("OSA", "INDEX", "XTKS"),
        ("CCC", "CRYPTOCURRENCY", "24/7"),
        ("SIM", "EQUITY", "24/7"),
        ("CCY", "CURRENCY", "24/5"),
    ],
)
def test_an_exchange_code_has_a_calendar(exchange: str, instrument_type: str, calendar: str) -> None:
    assert calendars.calendar_for(exchange, instrument_type) == calendar


def test_an_unknown_exchange_is_named_in_the_error() -> None:
    with pytest.raises(UnknownCalendar, match="XYZ"):
        calendars.calendar_for("XYZ", "EQUITY")


def test_every_calendar_of_the_table_is_one_that_exchange_calendars_has() -> None:
    import exchange_calendars

    known = set(exchange_calendars.get_calendar_names())
    assert set(calendars.EXCHANGE_CALENDARS.values()) <= known


def test_new_york_sessions_of_thanksgiving_week_2025() -> None:
    #  Mon 24      Tue 25      Wed 26      Thu 27         Fri 28
    #  9:30-16:00  9:30-16:00  9:30-16:00  Thanksgiving   9:30-13:00
    found = calendars.sessions("XNYS", date(2025, 11, 24), date(2025, 11, 30))
    assert [session.session_date.day for session in found] == [24, 25, 26, 28]
    assert (found[0].open_ms, found[0].close_ms) == (ms("2025-11-24T14:30"), ms("2025-11-24T21:00"))
    assert found[-1].close_ms == ms("2025-11-28T18:00")


def test_new_york_opens_an_hour_earlier_in_utc_in_summer() -> None:
    [session] = calendars.sessions("XNYS", date(2025, 7, 1), date(2025, 7, 1))
    assert session.open_ms == ms("2025-07-01T13:30")


def test_a_session_holds_its_open_and_not_its_close() -> None:
    opens, closes = ms("2025-11-24T14:30"), ms("2025-11-24T21:00")
    assert calendars.session_at("XNYS", opens - 1) is None
    assert calendars.session_at("XNYS", opens) is not None
    assert calendars.session_at("XNYS", closes - 1) is not None
    assert calendars.session_at("XNYS", closes) is None


@pytest.mark.parametrize(
    ("when", "session_date"),
    [
        ("2025-11-24T09:00", date(2025, 11, 24)),  # 04:00 in New York: before the open of the same date
        ("2025-11-24T23:30", date(2025, 11, 24)),  # 18:30: after the close
        ("2025-11-25T00:30", date(2025, 11, 24)),  # 19:30 in New York, although the UTC date has changed
        ("2025-11-27T16:00", date(2025, 11, 26)),  # Thanksgiving: the last session before
        ("2025-11-30T12:00", date(2025, 11, 28)),  # Sunday
    ],
)
def test_extended_hours_belong_to_the_session_of_the_local_date(when: str, session_date: date) -> None:
    assert calendars.session_of("XNYS", ms(when)).session_date == session_date


@pytest.mark.slow
def test_futures_of_sunday_evening_are_in_mondays_session() -> None:
    session = calendars.session_at("CMES", ms("2025-11-23T23:30"))  # 17:30 in Chicago
    assert session is not None
    assert session.session_date == date(2025, 11, 24)


@pytest.mark.slow
def test_tokyo_is_not_regular_in_its_midday_break() -> None:
    # 09:00-11:30 and 12:30-15:30 JST since 2024-11-05
    assert calendars.is_regular("XTKS", ms("2025-11-25T02:29"))
    assert not calendars.is_regular("XTKS", ms("2025-11-25T02:30"))
    assert calendars.is_regular("XTKS", ms("2025-11-25T03:30"))
    assert not calendars.is_regular("XTKS", ms("2025-11-25T06:30"))


def test_round_the_clock_sessions_are_utc_days() -> None:
    session = calendars.session_of("24/7", ms("2025-11-22T17:00"))
    assert (session.open_ms, session.close_ms) == (ms("2025-11-22T00:00"), ms("2025-11-23T00:00"))


def test_spot_fx_rests_at_the_weekend() -> None:
    assert calendars.session_at("24/5", ms("2025-11-22T17:00")) is None
    assert calendars.session_of("24/5", ms("2025-11-22T17:00")).session_date == date(2025, 11, 21)


@pytest.mark.slow
@pytest.mark.parametrize("calendar", ["XNYS", "XTKS", "CMES", "24/7", "24/5"])
def test_the_array_form_agrees_with_the_scalar_form(calendar: str) -> None:
    times = np.arange(ms("2025-11-20T00:00"), ms("2025-12-02T00:00"), 7 * 60_000, dtype=np.int64)
    columns = calendars.sessions_of(calendar, times)
    for row, ts_ms in enumerate(times.tolist()):
        session = calendars.session_of(calendar, ts_ms)
        assert columns.session_date[row] == np.datetime64(session.session_date)
        assert (columns.open_ms[row], columns.close_ms[row]) == (session.open_ms, session.close_ms)
        assert columns.is_regular[row] == calendars.is_regular(calendar, ts_ms)


def test_session_indices_count_sessions_and_not_days() -> None:
    friday_and_monday = np.array([ms("2025-11-21T15:00"), ms("2025-11-24T15:00")])
    index = calendars.sessions_of("XNYS", friday_and_monday).index
    assert index[1] - index[0] == 1


def test_an_empty_array_gives_empty_columns() -> None:
    assert calendars.sessions_of("XNYS", np.array([], dtype=np.int64)).index.size == 0


def test_calendars_reach_back_to_1980_where_they_are_recorded() -> None:
    assert calendars.session_of("XNYS", ms("1980-12-12T16:00")).session_date == date(1980, 12, 12)


def test_the_provider_is_believed_about_a_day_the_calendar_does_not_know() -> None:
    before_records = calendars.session_on("XTKS", date(1990, 5, 8))
    assert before_records.session_date == date(1990, 5, 8)
    assert before_records.open_ms == ms("1990-05-08T00:00")  # 09:00 JST
    summer_1970 = calendars.session_on("XNYS", date(1970, 7, 8))
    assert summer_1970.open_ms == ms("1970-07-08T13:30")  # 09:30, the calendar's first hours, in daylight time


@pytest.mark.slow
def test_a_calendar_grows_when_time_passes_its_end() -> None:
    far = calendars.session_of("XNYS", ms("2031-06-03T15:00"))
    assert far.session_date == date(2031, 6, 3)


@pytest.mark.parametrize(
    ("calendar", "moment", "ex_date"),
    [
        ("XNYS", "2026-03-13T13:30", date(2026, 3, 13)),  # a Friday's open
        ("XNYS", "2026-03-14T13:30", date(2026, 3, 14)),  # the Saturday after it
        ("XNYS", "2026-11-26T14:30", date(2026, 11, 26)),  # Thanksgiving
        ("XASX", "2026-03-15T23:00", date(2026, 3, 16)),  # Sydney opens on UTC's Sunday
        ("24/7", "2026-03-14T00:00", date(2026, 3, 14)),
    ],
)
def test_an_action_on_a_day_without_a_session_is_of_that_day(calendar: str, moment: str, ex_date: date) -> None:
    ts_ms = int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() * 1000)
    assert calendars.ex_date_of(calendar, ts_ms) == ex_date
