"""One market, one server of the dashboard and one browser for the tests of a module."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from urllib.request import urlopen

import psutil
import pytest
from playwright.sync_api import Browser, sync_playwright

from stack.home import REPO
from stack.ports import free_port
from tests.embedded import Database, drop_database, fresh_database
from tests.platform.browser.moving import Market
from tests.platform.browser.page import BROWSER


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
