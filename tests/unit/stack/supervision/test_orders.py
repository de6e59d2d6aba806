import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from stack.errors import Exit, StackError
from stack.home import Home
from stack.supervision import orders

pytestmark = pytest.mark.unit


def obeyed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rows: list[Any], restart: Callable[[list[str]], Awaitable[None]]
) -> list[Any]:
    """The statements of one look at the orders."""
    asked: list[Any] = []
    looks = iter([rows])

    def take(_home: Home, statement: str, values: tuple[object, ...]) -> list[Any]:
        asked.append((statement.split()[3], values))
        return next(looks, []) if statement == orders.TAKE else []

    monkeypatch.setattr(orders, "take", take)
    monkeypatch.setattr(orders, "LOOK_S", 0.01)

    async def run() -> None:
        task = asyncio.create_task(orders.obey(Home(tmp_path), restart))
        await asyncio.sleep(0.2)
        task.cancel()

    asyncio.run(run())
    return asked


def test_a_row_is_obeyed_and_one_that_is_too_old_is_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    restarted: list[str] = []

    async def restart(names: list[str]) -> None:
        restarted.extend(names)

    rows = [(1, "spark", "it stands still", "done"), (2, "ingestion", "yesterday's", "expired")]
    obeyed(monkeypatch, tmp_path, rows, restart)
    assert restarted == ["spark"]


def test_an_order_that_fails_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def restart(_names: list[str]) -> None:
        raise StackError(Exit.SERVICE_FAILS, "spark does not start")

    asked = obeyed(monkeypatch, tmp_path, [(1, "spark", "it stands still", "done")], restart)
    assert ("StackError: spark does not start", 1) in [values for _, values in asked]


def test_without_a_platform_there_are_no_orders(tmp_path: Path) -> None:
    assert orders.take(Home(tmp_path), orders.TAKE, ()) == []
