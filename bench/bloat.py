"""What an hour of trading does to the tables: sizes, dead rows, updates in place, vacuum's visits, and the driver's memory.

    python -m bench.bloat [--minutes 60] [--rate 1000] [--symbols 500]

The stream runs at a steady rate on a durable PostgreSQL with the platform's settings. A line is printed every minute, and at the
end each table with what it has become. Sizes are of the month's partition; what fillfactor leaves free counts as size.
"""

import argparse
import time
from contextlib import suppress

import psutil

from bench.kit import ask, end_cleanly, load
from bench.latency import Landed, add_instruments, part_of, produce, running_rig, trades
from market.topics import EVENTS
from tests.stream.rig import Rig, until

MB = 1 << 20
TABLES = """
    SELECT s.relname, pg_table_size(s.relid), pg_indexes_size(s.relid), s.n_live_tup, s.n_dead_tup, s.n_tup_ins, s.n_tup_upd,
           s.n_tup_hot_upd, s.autovacuum_count
    FROM pg_stat_user_tables s
    WHERE s.schemaname = 'core' AND s.n_tup_ins + s.n_tup_upd > 0
    ORDER BY pg_total_relation_size(s.relid) DESC"""
Table = tuple[str, int, int, int, int, int, int, int, int]


class Unnoted(Landed):
    """For a run that is too long to remember each trade."""

    def note(self, produced_ns: int) -> None:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--rate", type=int, default=1000, help="trades a second")
    parser.add_argument("--symbols", type=int, default=500)
    options = parser.parse_args()
    end_cleanly()
    with running_rig() as under_test:
        under_test.environment["CANDLESTREAM_LOG_LEVEL"] = "INFO"
        add_instruments(under_test, options.symbols)
        under_test.start()
        until(lambda: under_test.logged("ledger"), "the stream's start")
        source, wal = trades(options.symbols, seed=1), wal_bytes(under_test)
        for minute in range(1, options.minutes + 1):
            produce(under_test, Unnoted(), options.rate, source, 60.0)
            print(line(under_test, minute), flush=True)
        under_test.drain()
        time.sleep(1.0)  # the statistics of the last commits
        written = (wal_bytes(under_test) - wal) / MB / options.minutes
        ran = f"{options.minutes} min at {options.rate} trades/s, {options.symbols} symbols"
        print(f"\n{ran}; WAL {written:.0f} MB a minute; load average {load()}")
        print(report(tables(under_test)))


def tables(under_test: Rig) -> list[Table]:
    return ask(under_test.database.admin, TABLES)  # type: ignore[return-value]


def wal_bytes(under_test: Rig) -> int:
    [(count,)] = ask(under_test.database.admin, "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")
    return int(str(count))


def memory_mb(under_test: Rig) -> dict[str, float]:
    """Resident memory of the job's processes, by part."""
    assert under_test.process is not None
    me, found = psutil.Process(), {}
    top = psutil.Process(under_test.process.pid)
    for process in [top, *top.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # a helper that has ended meanwhile
            part = part_of(process, me)
            found[part] = found.get(part, 0.0) + process.memory_info().rss / MB
    return found


def line(under_test: Rig, minute: int) -> str:
    found = tables(under_test)
    size = sum(row[1] + row[2] for row in found) / MB
    dead, vacuums = sum(row[4] for row in found), sum(row[8] for row in found)
    memory = memory_mb(under_test)
    [(behind,)] = ask(
        under_test.database.admin,
        """SELECT round(extract(epoch FROM now() - min(updated_at))::numeric, 1) FROM v1.stream WHERE topic = %s""",
        (EVENTS.name,),
    )
    parts = ", ".join(f"{part} {memory.get(part, 0.0):.0f} MB" for part in ("driver", "spark"))
    return (
        f"minute {minute}: tables {size:.0f} MB, {dead:,} dead rows, {vacuums} vacuums; {parts};"
        f" the last commit {behind} s ago"
    )


def report(found: list[Table]) -> str:
    names = ("heap MB", "index MB", "rows", "dead", "inserts", "updates", "HOT", "vacuums")
    head = f"{'table':<22}" + "".join(
        f"{name:>{width}}" for name, width in zip(names, (9, 10, 10, 9, 11, 12, 7, 9), strict=True)
    )
    rows = [
        f"{name:<22}{heap / MB:>9.1f}{index / MB:>10.1f}{live:>10,}{dead:>9,}{inserts:>11,}{updates:>12,}"
        f"{100 * hot / updates if updates else 100:>6.1f}%{vacuums:>9}"
        for name, heap, index, live, dead, inserts, updates, hot, vacuums in found
    ]
    return "\n".join([head, *rows])


if __name__ == "__main__":
    main()
