"""The page at the widths of a telephone and of a laptop, and one refresh as one moment."""

import pytest
from psycopg2.extras import execute_values

from tests.platform.browser.moving import BARS
from tests.platform.browser.page import BROWSER, opened

pytestmark = [
    pytest.mark.platform,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine"),
]

# In every frame that the browser paints: the price above, in the watch list, and beside the newest candle.
PRICES = """async (milliseconds) => {
  const seen = new Set();
  const end = performance.now() + milliseconds;
  await new Promise((done) => {
    const look = () => {
      const label = [...document.querySelectorAll(".cs-plot .annotation-text")].map((box) => box.textContent);
      const chart = label.find((text) => /^[0-9.,]+$/.test(text));
      const watched = document.querySelector(".cs-watch .cs-on .cs-num").textContent;
      seen.add([document.querySelector(".cs-big").textContent, watched, chart].join(" "));
      performance.now() < end ? requestAnimationFrame(look) : done();
    };
    requestAnimationFrame(look);
  });
  return [...seen];
}"""

# What of the page is out of sight or on top of something else, in pixels.
LAYOUT = """() => {
  const box = (selector) => [...document.querySelectorAll(selector)].map((one) => one.getBoundingClientRect());
  const axis = Math.min(...box(".cs-plot .ytick text").map((tick) => tick.left));
  const candles = box(".cs-plot path.box").filter(({ left }) => left >= 0);
  const words = box(".cs-readout");
  return {
    intervals: Math.max(...box(".st-key-timeframe button").map((one) => one.right)),
    over_axis: Math.max(...words.map((one) => one.right)) - axis,
    over_candles: words[0].bottom - Math.min(...candles.map((one) => one.top)),
    watermark: box(".cs-plot .annotation-text").map((one) => [one.left, one.right]),
    rows: new Set(box(".cs-facts > div").map((one) => Math.round(one.top))).size,
    quote: box(".cs-quote")[0].height,
    width: document.documentElement.scrollWidth,
  };
}"""


def test_one_refresh_is_one_moment(browser, dashboard):
    with opened(browser, dashboard[0]) as page:
        seen = [prices.split() for prices in page.evaluate(PRICES, 10_000)]
    assert len(seen) >= 3, "the price moves"
    assert [one for one in seen if len(set(one)) != 1] == []


@pytest.mark.parametrize("width", [390, 1280, 1400, 1600])
def test_nothing_is_cut_off_and_no_words_cover_the_chart(browser, dashboard, width):
    with opened(browser, dashboard[0], width) as page:
        layout = page.evaluate(LAYOUT)
    assert layout["width"] <= width, layout
    assert layout["intervals"] <= width, layout
    assert layout["over_axis"] <= 0, layout
    assert layout["over_candles"] <= 0, layout
    assert all(left >= 0 and right <= width for left, right in layout["watermark"]), layout
    if width >= 1280:
        assert (layout["rows"], layout["quote"] < 60) == (1, True), layout


def test_a_symbol_without_volume_has_its_chart(browser, dashboard, market):
    with market.connection.cursor() as cur:
        cur.execute(
            "INSERT INTO core.instruments (symbol, name, exchange, calendar, timezone, currency, state, source, has_volume) "
            "VALUES ('^IDX', 'An index', 'SIM', '24/7', 'UTC', 'USD', 'ok', 'simulator', false)"
        )
        bar = list(market.bar(0))
        bar[0], bar[10] = "^IDX", None
        execute_values(cur, BARS, [tuple(bar)])
    with opened(browser, dashboard[0].replace("AAPL", "%5EIDX")) as page:
        words = page.locator(".cs-readouts").inner_text()
    assert "^IDX" in words
    assert "Volume" not in words
