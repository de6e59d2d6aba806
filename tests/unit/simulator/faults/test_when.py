"""Moments and lengths as people write them."""

import pytest

from simulator.faults.when import Moment, length_ms, moment
from tests.unit.simulator.conftest import ms


@pytest.mark.parametrize(
    ("text", "expected_ms"),
    [("90s", 90_000), ("5m", 300_000), ("1h30m", 5_400_000), ("250ms", 250), ("1.5s", 1_500), (2, 2_000), (0.5, 500)],
)
def test_lengths_are_read(text: str | float, expected_ms: int):
    assert length_ms(text) == expected_ms


@pytest.mark.parametrize("text", ["", "5", "m", "5 minutes", "-5s", -1, True, None, "1m1h"])
def test_what_is_no_length_is_refused(text: object):
    with pytest.raises(ValueError, match="is not a length"):
        length_ms(text)


def test_moments_are_relative_or_absolute():
    assert moment("+90s").after(1_000) == 91_000
    assert moment("2026-03-11T12:00:00-04:00").after(1_000) == ms("2026-03-11T16:00:00+00:00")
    assert moment("+0s") == Moment(0, is_relative=True)


@pytest.mark.parametrize("text", ["2026-03-11T12:00:00", "tomorrow", 5, None])
def test_a_moment_without_an_offset_is_refused(text: object):
    with pytest.raises(ValueError, match=r"offset|neither"):
        moment(text)
