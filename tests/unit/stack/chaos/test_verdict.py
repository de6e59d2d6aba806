"""Lost, doubled and different, told apart; and how a run is summed up."""

import pytest

from stack.chaos.compare import Verdict, difference, judge
from stack.chaos.report import by_point, summary
from stack.chaos.run import Done, Outcome
from stack.chaos.schedule import Kill, Target

pytestmark = pytest.mark.unit

LETTERS = {"dead letters": {"7": "bad", "9": "worse"}, "bars": {"a": "1", "b": "2"}}
TRADES = {"a": 10, "b": 20}


def changed(table: str, key: str, value: str | None) -> dict[str, dict[str, str]]:
    tables = {name: dict(rows) for name, rows in LETTERS.items()}
    if value is None:
        del tables[table][key]
    else:
        tables[table][key] = value
    return tables


@pytest.mark.parametrize(
    ("tables", "trades", "lost", "doubled", "is_equal"),
    [
        (LETTERS, TRADES, 0, 0, True),
        (LETTERS, {"a": 10, "b": 17}, 3, 0, False),
        (LETTERS, {"a": 10, "b": 25}, 0, 5, False),
        # What is too much in one minute does not make good what is missing in another.
        (LETTERS, {"a": 12, "b": 18}, 2, 2, False),
        (LETTERS, {"a": 10}, 20, 0, False),
        (LETTERS, TRADES | {"c": 4}, 0, 4, False),
        (changed("dead letters", "7", None), TRADES, 1, 0, False),
        (changed("dead letters", "8", "bad"), TRADES, 0, 1, False),
        (changed("bars", "a", "3"), TRADES, 0, 0, False),
    ],
)
def test_what_is_lost_and_what_is_doubled_is_counted_apart(
    tables: dict[str, dict[str, str]], trades: dict[str, int], lost: int, doubled: int, is_equal: bool
) -> None:
    verdict = judge(tables, LETTERS, trades, TRADES)
    assert (verdict.lost, verdict.doubled, verdict.is_equal, verdict.trades) == (lost, doubled, is_equal, 30)


def test_differences_come_with_examples() -> None:
    table = difference("bars", {"a": "1", "x": "9"}, {"a": "2", "b": "3"})
    assert (table.missing, table.extra, table.different) == (["b"], ["x"], ["a"])
    assert table.examples == ["a: 1 instead of 2", "b: missing", "x: should not be there"]


def test_kills_are_summed_up_by_point_with_the_worst_and_the_median_recovery() -> None:
    kill, other = Kill(Target.SPARK, "before_scan"), Kill(Target.BROKER, "after_commit")
    kills = [Done(kill, 8.0), Done(other, 4.0), Done(kill, 6.0), Done(kill, 13.0)]
    assert by_point(kills) == [
        ("broker", "after_commit", 1, 4.0, 4.0),
        ("spark", "before_scan", 3, 13.0, 8.0),
    ]
    outcome = Outcome(1, Verdict([], 30, 0, 0), kills, 5, 40, 0)
    assert summary(outcome) == "lost 0, doubled 0; 4 kills, recovery worst 13.0 s, median 7.0 s"
    assert outcome.is_well
    assert not Outcome(1, Verdict([], 30, 0, 1), kills, 5, 40, 0).is_well
    assert not Outcome(1, Verdict([], 30, 0, 0), kills, 5, 40, 0, ["the broker did not take everything"]).is_well
