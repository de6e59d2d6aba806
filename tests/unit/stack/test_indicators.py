"""A mistake in the file of indicators ends `up`, and `doctor` tells it."""

from pathlib import Path

import pytest

from stack import indicators
from stack.errors import Exit, StackError
from stack.report.doctor import guarded

pytestmark = pytest.mark.unit


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "mine.toml"
    monkeypatch.setenv("CANDLESTREAM_INDICATORS", str(path))
    return path


def test_a_mistake_is_a_sentence_with_the_file_and_the_entry(file: Path) -> None:
    file.write_text('["1d"]\nsma = [0]')
    with pytest.raises(StackError) as caught:
        indicators.check()
    assert caught.value.code == Exit.USAGE
    assert caught.value.sentence.startswith(f'{file}: ["1d"] sma 0: bars must be a whole number')
    assert not guarded("indicators", indicators.check).is_well


def test_what_is_chosen_is_counted(file: Path) -> None:
    file.write_text('["1d"]\nsma = [100, 150]\nmacd = [[5, 35, 5]]')
    finding = guarded("indicators", indicators.check)
    assert finding.is_well
    assert finding.said == f"3 of your own in {file}"


def test_without_the_variable_the_file_of_the_checkout_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CANDLESTREAM_INDICATORS", raising=False)
    assert "indicators.toml" in indicators.check()
