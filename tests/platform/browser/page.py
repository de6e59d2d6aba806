"""The chart page in Chromium, looked at as a person would."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


@contextmanager
def opened(browser: Browser, url: str, width: int = 1500) -> Iterator[Page]:
    """The page in a window of its own, with its chart drawn."""
    page = browser.new_page(viewport={"width": width, "height": 1000}, color_scheme="dark")
    page.goto(url)
    page.wait_for_selector(".cs-plot path.box", state="attached", timeout=90_000)
    page.wait_for_timeout(3_000)
    yield page
    page.close()


def view(page: Page) -> tuple[float, float]:
    return tuple(page.evaluate("(({from, to}) => [+from, +to])(document.querySelector('.cs-chart').dataset)"))  # type: ignore[return-value]
