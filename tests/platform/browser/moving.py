"""One symbol's minutes in PostgreSQL, the newest of which moves as it does when trades come."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
from psycopg2.extras import execute_values

MINUTES = 400


MOVES_S = 0.5


class Market:
    """One symbol's minutes, and its newest candle that moves until it is told to stand still."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg2.connect(url)
        self.connection.autocommit = True
        self.stopped = threading.Event()
        self.ahead = timedelta(0)  # of the clock: a minute's end need not be waited for
        self.start = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=MINUTES)

    def open(self) -> None:
        with self.connection.cursor() as cur:
            cur.execute(
                "INSERT INTO core.instruments (symbol, name, exchange, calendar, timezone, currency, state, source) VALUES "
                "('AAPL', 'Apple Inc.', 'SIM', '24/7', 'UTC', 'USD', 'ok', 'simulator')"
            )
            day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            sessions = [
                ("24/7", (day + timedelta(days=n)).date(), day + timedelta(days=n), day + timedelta(days=n + 1))
                for n in (-1, 0, 1)
            ]
            execute_values(
                cur, "INSERT INTO core.sessions (calendar, session_date, opens_at, closes_at) VALUES %s", sessions
            )
            execute_values(cur, BARS, [self.bar(minute) for minute in range(MINUTES)])
            execute_values(
                cur,
                "INSERT INTO core.indicators (symbol, timeframe, ts, revision, is_final, sma_5, sma_20, rsi_14, macd, macd_signal, "
                "macd_histogram) VALUES %s",
                [
                    ("AAPL", "1m", self.start + timedelta(minutes=n), 0, True, 100.0, 100.0, 50.0, 0.1, 0.05, 0.05)
                    for n in range(MINUTES)
                ],
            )
        self.move(0)

    def bar(self, minute: int, close: float = 100.5, is_closed: bool = True) -> tuple[Any, ...]:
        ts = self.start + timedelta(minutes=minute)
        low, high = min(99.0, close), max(101.0, close)
        return ("AAPL", "1m", ts, ts + timedelta(minutes=1), ts.date(), "regular", 100.0, high, low, close, 500.0, 10, 100.0,
                is_closed, is_closed, 0, "simulator", ts, ts, "", 0, 0, 0, 0, 0, 0, 0)  # fmt: skip

    def move(self, beat: int) -> None:
        """A trade: the forming candle, the latest price and the processes' heartbeats."""
        now = datetime.now(UTC) + self.ahead
        minute = int((now - self.start).total_seconds() // 60)
        close = 100.0 + (beat % 90) / 100
        with self.connection.cursor() as cur:
            cur.execute("BEGIN")  # as the stream does: candle and price change together
            cur.execute("UPDATE core.bars SET is_closed = true, is_final = true WHERE NOT is_closed AND ts < %s",
                        (self.start + timedelta(minutes=minute),))  # fmt: skip
            execute_values(cur, BARS, [self.bar(minute, close, is_closed=False)])
            cur.execute(
                "INSERT INTO core.latest (symbol, price, session, session_date, previous_close, day_high, day_low, day_volume, "
                "event_time, received_at, source) VALUES ('AAPL', %(p)s, 'regular', current_date, 100, 101, 99, 9999, now(), "
                "now(), 'simulator') ON CONFLICT (symbol) DO UPDATE SET price = excluded.price, event_time = now()",
                {"p": close},
            )
            for name in ("ingestion", "spark"):
                cur.execute("INSERT INTO core.service_status (name, state, detail) VALUES (%s, 'ok', 'well') "
                            "ON CONFLICT (name) DO UPDATE SET heartbeat_at = now()", (name,))  # fmt: skip
            cur.execute("COMMIT")

    def trade(self) -> None:
        beat = 0
        while not self.stopped.wait(MOVES_S):
            beat += 1
            self.move(beat)


BARS = """
INSERT INTO core.bars (symbol, timeframe, ts, bar_end, session_date, session, open, high, low, close, volume, ticks, mean_price,
    is_closed, is_final, revision, source, event_time, received_at, inputs, origin, provider_ms, first_ms, first_volume, last_ms,
    last_volume, day_volume)
VALUES %s ON CONFLICT (symbol, timeframe, ts) DO UPDATE SET high = greatest(bars.high, excluded.high),
    low = least(bars.low, excluded.low), close = excluded.close, is_closed = excluded.is_closed
"""
