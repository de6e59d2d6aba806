"""The chart page in a real browser over a real PostgreSQL whose newest candle moves: no flicker, no lost zoom, little traffic."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import psutil
import psycopg2
import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from psycopg2.extras import execute_values

from stack.home import REPO
from stack.ports import free_port
from tests.embedded import Database, drop_database, fresh_database

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.platform,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine"),
]

MINUTES = 400
REFRESHES_S = 20
MOVES_S = 0.5

# What a person would see as flicker, looked for in every frame that the browser paints: another element in the plot's place,
# an emptied plot, a faded one.
WATCH = """async (milliseconds) => {
  const chart = document.querySelector(".cs-chart"), plot = chart.querySelector(".cs-plot"), svg = plot.querySelector(".main-svg");
  const rail = document.querySelector(".cs-rail"), candles = plot.querySelectorAll("path.box").length;
  const seen = { frames: 0, replaced: 0, blank: 0, faded: 0, closes: new Set(), ages: new Set() };
  seen.draws = -Number(chart.dataset.draws);
  const end = performance.now() + milliseconds;
  await new Promise((done) => {
    const look = () => {
      seen.frames += 1;
      const now = document.querySelector(".cs-plot");
      if (now !== plot || now.querySelector(".main-svg") !== svg || document.querySelector(".cs-rail") !== rail) seen.replaced += 1;
      if (now.querySelectorAll("path.box").length < candles) seen.blank += 1;
      let opacity = 1;
      for (let node = now; node; node = node.parentElement) opacity *= Number(getComputedStyle(node).opacity);
      if (opacity < 0.99) seen.faded += 1;
      seen.closes.add(document.querySelector(".cs-big").textContent);
      seen.ages.add(document.querySelector("[data-since-ms]").textContent);
      performance.now() < end ? requestAnimationFrame(look) : done();
    };
    requestAnimationFrame(look);
  });
  seen.draws += Number(chart.dataset.draws);
  return { ...seen, closes: seen.closes.size, ages: seen.ages.size };
}"""


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
            execute_values(cur, BARS, [self._bar(minute) for minute in range(MINUTES)])
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

    def _bar(self, minute: int, close: float = 100.5, is_closed: bool = True) -> tuple[Any, ...]:
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
            cur.execute("UPDATE core.bars SET is_closed = true, is_final = true WHERE NOT is_closed AND ts < %s",
                        (self.start + timedelta(minutes=minute),))  # fmt: skip
            execute_values(cur, BARS, [self._bar(minute, close, is_closed=False)])
            cur.execute(
                "INSERT INTO core.latest (symbol, price, session, session_date, previous_close, day_high, day_low, day_volume, "
                "event_time, received_at, source) VALUES ('AAPL', %(p)s, 'regular', current_date, 100, 101, 99, 9999, now(), "
                "now(), 'simulator') ON CONFLICT (symbol) DO UPDATE SET price = excluded.price, event_time = now()",
                {"p": close},
            )
            for name in ("ingestion", "spark"):
                cur.execute("INSERT INTO core.service_status (name, state, detail) VALUES (%s, 'ok', 'well') "
                            "ON CONFLICT (name) DO UPDATE SET heartbeat_at = now()", (name,))  # fmt: skip

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


@pytest.fixture(scope="module")
def database(postgres_server, embedded_home) -> Iterator[Database]:
    made = fresh_database(postgres_server, embedded_home.pgpass)
    yield made
    drop_database(made)


@pytest.fixture(scope="module")
def market(database) -> Iterator[Market]:
    market = Market(database.writer)
    market.open()
    trading = threading.Thread(target=market.trade)
    trading.start()
    yield market
    market.stopped.set()
    trading.join()
    market.connection.close()


@pytest.fixture(scope="module")
def dashboard(database, market) -> Iterator[tuple[str, psutil.Process]]:
    """The page's address and the server's process."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", "dashboard/app.py", "--server.port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(REPO), "CANDLESTREAM_DATABASE_URL": database.reader}
    server = subprocess.Popen(command, cwd=REPO, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        yield f"http://127.0.0.1:{port}/?symbol=AAPL&timeframe=1m", psutil.Process(server.pid)
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(url: str, limit_s: float = 60.0) -> None:
    until = time.monotonic() + limit_s
    while True:
        try:
            with urlopen(url, timeout=2):  # noqa: S310 - our own server
                return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, url: str) -> Iterator[Page]:
    """The page in a window of its own, with its chart drawn."""
    page = browser.new_page(viewport={"width": 1500, "height": 1000}, color_scheme="dark")
    page.goto(url)
    page.wait_for_selector(".cs-plot path.box", state="attached", timeout=90_000)
    page.wait_for_timeout(3_000)
    yield page
    page.close()


def view(page: Page) -> tuple[float, float]:
    return tuple(page.evaluate("(({from, to}) => [+from, +to])(document.querySelector('.cs-chart').dataset)"))  # type: ignore[return-value]


def test_refreshes_move_the_numbers_and_nothing_flickers(browser, dashboard):
    with opened(browser, dashboard[0]) as page:
        seen = page.evaluate(WATCH, REFRESHES_S * 1000)
    assert seen["draws"] >= 3, seen
    assert seen["closes"] >= 3, seen
    assert seen["ages"] >= 10, seen
    assert (seen["replaced"], seen["blank"], seen["faded"]) == (0, 0, 0), seen


def test_a_zoom_into_the_past_stays_where_it_is(browser, dashboard):
    with opened(browser, dashboard[0]) as page:
        chart = page.locator(".cs-chart").bounding_box()
        assert chart is not None
        x, y = chart["x"] + chart["width"] / 2, chart["y"] + chart["height"] / 3
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 400, y, steps=4)
        page.mouse.up()
        page.mouse.wheel(0, -240)
        page.wait_for_timeout(500)
        zoomed = view(page)
        assert zoomed[1] < MINUTES, "the newest bar is out of sight"
        assert zoomed[1] - zoomed[0] < 120
        page.wait_for_timeout(REFRESHES_S * 1000 // 2)
        assert view(page) == zoomed
        page.mouse.dblclick(x, y)
        page.wait_for_timeout(500)
        assert view(page)[1] > MINUTES


def test_the_newest_bar_stays_in_sight_when_another_begins(browser, dashboard, market):
    with opened(browser, dashboard[0]) as page:
        before = view(page)
        market.ahead += timedelta(minutes=1)
        page.wait_for_timeout(4_000)
        after = view(page)
    assert after[0] - before[0] == pytest.approx(after[1] - before[1], abs=0.01)
    assert 1 <= round(after[1] - before[1]) <= 2


def test_a_refresh_costs_little_and_asks_no_other_host(browser, dashboard):
    url, server = dashboard
    received: list[int] = []
    elsewhere: list[str] = []
    with opened(browser, url) as page:
        page.on("request", lambda request: elsewhere.append(request.url))
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on(
            "Network.webSocketFrameReceived", lambda frame: received.append(len(frame["response"]["payloadData"]))
        )
        page.wait_for_timeout(5_000)
        received.clear()
        before = sum(server.cpu_times()[:2])
        page.wait_for_timeout(REFRESHES_S * 1000)
        cpu_s = sum(server.cpu_times()[:2]) - before
        page.reload()
        page.wait_for_selector(".cs-plot path.box", state="attached", timeout=90_000)
    assert {urlsplit(address).hostname for address in elsewhere if address.startswith("http")} == {"127.0.0.1"}
    assert sum(received) / REFRESHES_S < 20_000, "bytes a second"
    assert cpu_s / REFRESHES_S < 0.05, "of a core"


def test_simulated_is_in_the_tab_and_in_the_chart(browser, dashboard):
    with opened(browser, dashboard[0]) as page:
        assert page.title().startswith("SIMULATED AAPL")
        assert "SIMULATED" in page.locator(".cs-plot").inner_text()


def test_an_outage_is_a_sentence_and_heals(browser, dashboard, database):
    with (
        opened(browser, dashboard[0]) as page,
        closing(psycopg2.connect(database.admin.rsplit("/", 1)[0] + "/postgres")) as admin,
    ):
        admin.autocommit = True
        with admin.cursor() as cur:
            cur.execute(f'ALTER DATABASE "{database.name}" ALLOW_CONNECTIONS false')
            cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'candlestream-dashboard'"
            cur.execute(cut)
            # In one step: Streamlit puts the frame of an alert on the page before its words, and draws both anew at each refresh.
            words = "() => document.querySelector('[data-testid=stAlert]')?.innerText"
            said = page.wait_for_function(words, timeout=20_000).json_value()
            cur.execute(f'ALTER DATABASE "{database.name}" ALLOW_CONNECTIONS true')
        page.wait_for_selector("[data-testid=stAlert]", state="detached", timeout=20_000)
    assert "PostgreSQL" in said
    assert "The numbers below are of" in said
    assert "Traceback" not in said


def split_days(market: Market, count: int = 60, ratio: float = 4.0) -> None:
    """Days of 400 and a little more, half of them before a 4:1 split, with an average that the kernel would have stored."""
    ex_date = market.start.date() - timedelta(days=count // 2)
    with market.connection.cursor() as cur:
        for k in range(count):
            day = market.start - timedelta(days=count - k)
            printed = (400.0 + k) / (ratio if day.date() >= ex_date else 1.0)
            bar = ("AAPL", "1d", day, day + timedelta(hours=6), day.date(), "regular", printed, printed * 1.01, printed * 0.99,
                   printed, 500.0, 10, printed, True, True, 0, "simulator", day, day, "", 0, 0, 0, 0, 0, 0, 0)  # fmt: skip
            execute_values(cur, BARS, [bar])
            cur.execute(
                "INSERT INTO core.indicators (symbol, timeframe, ts, revision, is_final, sma_5) VALUES "
                "('AAPL', '1d', %s, 0, true, %s)",
                (day, printed - 2.0 / (ratio if day.date() >= ex_date else 1.0)),
            )
        cur.execute(
            "INSERT INTO core.corporate_actions (symbol, ex_date, action, value, source, received_at) VALUES "
            "('AAPL', %s, 'split', %s, 'simulator', now())",
            (ex_date, ratio),
        )


def drawn(page: Page, trace: int, column: str) -> list[float]:
    return page.evaluate(f"() => document.querySelector('.cs-plot').data[{trace}].{column}")  # type: ignore[no-any-return]


def largest_step(closes: list[float]) -> float:
    return max(abs(later / earlier - 1) for earlier, later in pairwise(closes))


def test_a_split_is_no_crash_unless_someone_asks_for_printed_prices(browser, dashboard, market):
    split_days(market)
    with opened(browser, dashboard[0].replace("timeframe=1m", "timeframe=1d")) as page:
        assert "split-adjusted" in page.locator(".cs-readout").first.inner_text()
        closes, means = drawn(page, 0, "close"), drawn(page, 2, "y")
        assert largest_step(closes) < 0.01
        assert closes[0] == pytest.approx(100.0)
        assert [close - mean for close, mean in zip(closes, means, strict=True)] == pytest.approx([0.5] * 60, abs=0.006)

        page.locator(".st-key-prices input").click()
        page.get_by_role("option", name="As printed").click()
        page.wait_for_function(
            "() => document.querySelector('.cs-readout').innerText.includes('as printed')", timeout=20_000
        )
        assert drawn(page, 0, "close")[0] == 400.0
        assert 0.7 < largest_step(drawn(page, 0, "close")) < 0.8, "4:1 is three quarters"
        assert "prices=raw" in page.url


def test_over_a_market_that_stands_still_the_chart_is_drawn_at_every_load_without_a_complaint(
    browser, dashboard, market
):
    """Nothing changes after the first answer, so what goes wrong while the page loads stays wrong.

    The last test of the module, for it stops the market.
    """
    market.stopped.set()
    complaints: list[str] = []
    for _ in range(3):
        with opened(browser, dashboard[0]) as page:
            page.on("console", lambda said: complaints.append(said.text) if said.type in ("warning", "error") else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.wait_for_timeout(3_000)
            assert page.locator(".cs-plot path.box").count() > 100
    assert complaints == []
