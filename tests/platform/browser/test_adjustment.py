"""A split on the chart."""

from datetime import timedelta
from itertools import pairwise

import pytest
from playwright.sync_api import Page
from psycopg2.extras import execute_values

from tests.platform.browser.moving import BARS, Market
from tests.platform.browser.page import BROWSER, opened

pytestmark = [
    pytest.mark.platform,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine"),
]


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
