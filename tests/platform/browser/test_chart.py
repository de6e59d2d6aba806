"""The chart page in a real browser over a real PostgreSQL whose newest candle moves: no flicker, no lost zoom, little traffic."""

from contextlib import closing
from datetime import timedelta
from urllib.parse import urlsplit

import psycopg2
import pytest

from tests.platform.browser.moving import MINUTES
from tests.platform.browser.page import BROWSER, opened, view

pytestmark = [
    pytest.mark.platform,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine"),
]

REFRESHES_S = 20


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
