"""What may be asked for in the file of indicators, and what is said of the rest."""

import re
from pathlib import Path

import pytest

from market import indicators
from market.choice_file import DEFAULT_FILE, read
from market.choices import MOST_BARS, BadChoice, parse

pytestmark = pytest.mark.unit


def told(text: str) -> list[str]:
    return [str(choice) for choice in parse(text).all]


def test_the_example_of_the_file_chooses_nothing_until_it_is_uncommented() -> None:
    text = DEFAULT_FILE.read_text()
    assert not parse(text)
    example = re.sub(r"^# ?", "", text.partition("each line:\n#\n")[2], flags=re.MULTILINE)
    assert told(example) == [
        "5m atr 7", "5m roc 5", "5m volatility 60", "5m volume_sma 50",
        "1d sma 100", "1d sma 150", "1d ema 9", "1d ema 50", "1d rsi 7", "1d macd 5,35,5", "1d bollinger 20,2.5",
    ]  # fmt: skip


def test_the_order_of_a_file_does_not_matter() -> None:
    a = parse('["1m"]\nrsi = [7]\nsma = [9, 3]\n["1d"]\nroc = [5]')
    b = parse('["1d"]\nroc = [5]\n["1m"]\nsma = [3, 9]\nrsi = [7]')
    assert a == b
    assert a.version("x") == b.version("x")
    assert a.version("x") != a.version("y")
    assert a.version("x") != parse('["1m"]\nrsi = [8]').version("x")


def test_bands_have_a_width_of_two_unless_another_is_said() -> None:
    assert told('["1h"]\nbollinger = [20, [30], [20, 2.5]]') == [
        "1h bollinger 20,2",
        "1h bollinger 20,2.5",
        "1h bollinger 30,2",
    ]


def test_no_window_is_longer_than_what_stands_in_memory() -> None:
    assert MOST_BARS <= indicators.LOOKBACK


def test_choices_of_a_timeframe_share_no_column() -> None:
    chosen = parse('["1m"]\nmacd = [[5, 35, 5], [3, 9, 4]]\nrsi = [7]\n["1d"]\nema = [9]')
    assert chosen.value_at.tolist() == [0, 1, 4, 0]
    assert chosen.state_at.tolist() == [0, 2, 5, 0]
    assert (chosen.n_values, chosen.n_state) == (7, 8)
    assert chosen.starts.tolist() == [0, 3, 3, 3, 3, 3, 4, 4, 4, 4]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('["2m"]\nsma = [5]', '["2m"]: not a timeframe; there are 1m, 5m, 15m, 30m, 1h, 1d, 1w, 1mo'),
        ("sma = [5]", '["sma"]: not a timeframe'),
        ('1m = [5]', '"1m": not a table: write ["1m"], and its kinds in the lines below'),
        ('["1m"]\nstochastic = [5]', '["1m"] stochastic: not a kind; there are sma, ema, rsi, macd, bollinger'),
        ('["1m"]\nsma = [0]', '["1m"] sma 0: bars must be a whole number from 1 to 200'),
        ('["1m"]\nsma = [201]', '["1m"] sma 201: bars must be a whole number from 1 to 200'),
        ('["1m"]\nrsi = [7.5]', '["1m"] rsi 7.5: bars must be a whole number from 1 to 200'),
        ('["1m"]\nrsi = [true]', '["1m"] rsi True: bars must be a whole number from 1 to 200'),
        ('["1m"]\nvolatility = [1]', '["1m"] volatility 1: bars must be a whole number from 2 to 200'),
        ('["1m"]\nbollinger = [[20, 0]]', '["1m"] bollinger [20, 0]: width must be a number from 0.1 to 10'),
        ('["1m"]\nbollinger = [[20, nan]]', "width must be a number from 0.1 to 10"),
        ('["1m"]\nmacd = [[26, 12, 9]]', '["1m"] macd [26, 12, 9]: fast bars must be fewer than slow bars'),
        ('["1m"]\nmacd = [12]', '["1m"] macd 12: it takes [fast bars, slow bars, signal bars]'),
        ('["1m"]\nsma = [[5, 6]]', '["1m"] sma [5, 6]: it takes bars'),
        ('["1m"]\nsma = 5', '["1m"] sma: 5 is not a list: write sma = [bars]'),
        ('["1m"]\nsma = [5, 9, 5]', '["1m"] sma 5: stands there twice'),
        ('["1m"]\nbollinger = [20, [20, 2.0]]', '["1m"] bollinger 20,2: stands there twice'),
        ('["1m"]\nsma = [5', "it is not TOML"),
    ],
)  # fmt: skip
def test_what_cannot_be_computed_is_named_in_a_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(BadChoice, match=re.escape(sentence)) as caught:
        read(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_was_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(BadChoice, match=r"nowhere\.toml: there is no such file"):
        read(tmp_path / "nowhere.toml")
