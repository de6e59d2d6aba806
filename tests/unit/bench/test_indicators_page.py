"""docs/indicators.md is what its command writes, and what it says of the kernel holds."""

import re

import numpy as np
import pytest
import talib
from talipp.indicators import RSI

from bench import agreement
from bench.conventions import CONVENTIONS
from bench.indicators import AGREEMENT_BARS, DOCUMENT, SEED, static_part
from market.indicators import VALUES

pytestmark = pytest.mark.unit

ROW = re.compile(r"\| `(\w+)` \| ([\w-]+) \| .+ \| (\d+|never) \| (\S+) \|")


@pytest.fixture(scope="module")
def measured() -> list[agreement.Agreement]:
    return agreement.measure(agreement.walk(AGREEMENT_BARS, SEED))


def test_the_page_is_as_its_command_writes_it() -> None:
    assert DOCUMENT.read_text().startswith(static_part()), "run: python -m bench.indicators --write"


def test_each_indicator_of_the_kernel_is_described_once() -> None:
    assert sorted(name for each in CONVENTIONS for name in each.names) == sorted(VALUES)


def test_an_indicator_has_its_first_value_where_the_page_says() -> None:
    values = agreement.kernel(agreement.walk(300, 2))
    first = {name: int(np.flatnonzero(~np.isnan(values[:, k]))[0]) + 1 for k, name in enumerate(VALUES)}
    assert first == {name: bar for each in CONVENTIONS for name, bar in zip(each.names, each.warm_at, strict=True)}


def test_each_indicator_is_measured_against_another_library(measured: list[agreement.Agreement]) -> None:
    assert {found.name for found in measured} == set(VALUES)


def test_once_seeds_have_washed_out_all_libraries_agree(measured: list[agreement.Agreement]) -> None:
    far = [found for found in measured if found.bar is None or not found.worst < agreement.CLOSE_ENOUGH]
    assert far == []


def test_the_page_says_from_which_bar_on_they_agree(measured: list[agreement.Agreement]) -> None:
    told = {(name, library): bar for name, library, bar, _ in ROW.findall(DOCUMENT.read_text())}
    assert told == {(found.name, found.library): str(found.bar) for found in measured}


def test_the_others_say_of_flat_prices_what_the_page_tells() -> None:
    flat = [5.0] * 30
    assert talib.RSI(np.array(flat), 14)[-1] == 0.0
    assert RSI(14, flat)[-1] == 100.0
