"""Numbers and times as words."""

import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dashboard import formats

pytestmark = pytest.mark.unit
WORDS_JS = Path(formats.__file__).parent / "static" / "words.js"
AGES = [
    (0.0, "0.0 s"),
    (-0.4, "0.0 s"),
    (9.94, "9.9 s"),
    (12.7, "12 s"),
    (200, "3 min 20 s"),
    (7_500, "2 h 5 min"),
    (270_000, "3 d 3 h"),
]
AMOUNTS = [
    (0, "0"),
    (950, "950"),
    (1_000, "1.00K"),
    (12_340, "12.3K"),
    (456_000, "456K"),
    (1_234_567, "1.23M"),
    (2.5e9, "2.50B"),
]


@pytest.mark.parametrize(("value", "digits", "text"), [(1234.5, 2, "1,234.50"), (1.16124, 4, "1.1612"), (None, 2, "–")])
def test_prices_have_the_instruments_decimals(value, digits, text):
    assert formats.price(value, digits) == text


@pytest.mark.parametrize(("value", "text"), [(1.5, "+1.50"), (-1.5, "−1.50"), (0.0, "+0.00"), (None, "–")])
def test_changes_always_have_a_sign(value, text):
    assert formats.signed(value, 2) == text


@pytest.mark.parametrize(("value", "text"), AMOUNTS)
def test_volumes_are_short(value, text):
    assert formats.amount(value) == text


@pytest.mark.parametrize(("seconds", "text"), AGES)
def test_ages_have_two_units_at_most(seconds, text):
    assert formats.age(seconds) == text


def test_moments_are_in_the_exchanges_time_with_the_zone_named():
    at = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)
    assert formats.moment(at, ZoneInfo("America/New_York")) == "Fri 20 Nov 16:00:00 EST"


@pytest.mark.skipif(shutil.which("node") is None, reason="no JavaScript engine to ask")
def test_the_screen_uses_the_same_words():
    script = WORDS_JS.read_text().replace("export ", "")
    calls = [f"age({seconds})" for seconds, _ in AGES] + [f"amount({value})" for value, _ in AMOUNTS]
    script += f"console.log([{','.join(calls)}].join('|'))"
    answer = subprocess.run(
        [shutil.which("node") or "node", "-e", script], capture_output=True, text=True, check=True
    ).stdout
    assert answer.strip().split("|") == [text for _, text in AGES + AMOUNTS]


def test_no_file_of_the_screen_asks_another_host():
    """It works without a network: nothing is fetched from elsewhere."""
    static = WORDS_JS.parent
    for path in [*static.iterdir(), *(static.parent / "templates").iterdir()]:
        addresses = re.findall(r"https?://[^\s\"']+", path.read_text())
        assert [address for address in addresses if not address.startswith("http://www.w3.org/")] == [], path.name
