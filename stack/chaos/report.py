"""What a chaos run found, for a person."""

from statistics import median

from rich.console import Console
from rich.table import Table as Grid

from stack.chaos.run import Done, Outcome


def by_point(kills: list[Done]) -> list[tuple[str, str, int, float, float]]:
    """Target, point, how many, and the worst and median recovery in seconds."""
    grouped: dict[tuple[str, str], list[float]] = {}
    for done in kills:
        grouped.setdefault((done.kill.target, done.kill.point), []).append(done.recovery_s)
    return [(*place, len(took), max(took), median(took)) for place, took in sorted(grouped.items())]


def summary(outcome: Outcome) -> str:
    took = [done.recovery_s for done in outcome.kills]
    recovery = f"recovery worst {max(took):.1f} s, median {median(took):.1f} s" if took else "nothing was killed"
    verdict = outcome.verdict
    return f"lost {verdict.lost}, doubled {verdict.doubled}; {len(took)} kills, {recovery}"


def tell(console: Console, outcome: Outcome) -> None:
    grid = Grid("killed", "at", "times", "worst s", "median s")
    for target, point, times, worst, middle in by_point(outcome.kills):
        grid.add_row(target, point, str(times), f"{worst:.1f}", f"{middle:.1f}")
    console.print(grid)
    tables = Grid("table", "rows", "missing", "extra", "different")
    for table in outcome.verdict.tables:
        counts = (table.rows, len(table.missing), len(table.extra), len(table.different))
        tables.add_row(table.name, *map(str, counts))
    console.print(tables)
    for table in outcome.verdict.tables:
        for example in table.examples:
            console.print(f"{table.name}: {example}", markup=False, highlight=False)
    for sentence in outcome.failed:
        console.print(sentence, markup=False, highlight=False)
    if outcome.restarts:
        console.print(f"the stream ended by itself and was started again: {outcome.restarts} times", highlight=False)
    console.print(
        f"seed {outcome.seed}: {outcome.records:,} records, {outcome.verdict.trades:,} trades in bars, "
        f"{outcome.minutes} minutes of the market",
        highlight=False,
    )
    console.print(summary(outcome), highlight=False)
    console.print("equal to the undisturbed run" if outcome.is_well else "NOT equal to the undisturbed run")
