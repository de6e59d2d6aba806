"""How soon a symbol that is added to a running platform has its chart, and its history.

    python -m bench.adding SYMBOL [--home DIR]

The chart is there when a minute of the symbol is in PostgreSQL, the history when all of it is. The symbol stays tracked.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import psycopg2

from market.timeframes import TIMEFRAMES
from stack.home import REPO, open_home
from stack.platform import open_platform

LIMIT_S = 300.0
CHART = "SELECT count(*) > 0 FROM v1.bars WHERE symbol = %s AND timeframe = '1m'"
SENT = "SELECT history_at IS NOT NULL FROM v1.instruments WHERE symbol = %s"
BARS = "SELECT count(*) FROM v1.bars WHERE symbol = %s"
STILL_S = 3.0


def ask(connection: "psycopg2.extensions.connection", query: str, symbol: str) -> int:
    with connection, connection.cursor() as cursor:
        cursor.execute(query, (symbol,))
        (value,) = cursor.fetchone() or (0,)
    return int(value)


def until(connection: "psycopg2.extensions.connection", query: str, symbol: str) -> None:
    limit = time.monotonic() + LIMIT_S
    while not ask(connection, query, symbol):
        if time.monotonic() > limit:
            raise SystemExit(f"not within {LIMIT_S:.0f} s: {query}")
        time.sleep(0.1)


def last_growth(connection: "psycopg2.extensions.connection", symbol: str) -> tuple[int, float]:
    """(how many bars, when the last of them came), once no more come than those of the present."""
    bars, grown = ask(connection, BARS, symbol), time.monotonic()
    while time.monotonic() - grown < STILL_S:
        time.sleep(0.1)
        now = ask(connection, BARS, symbol)
        if now > bars + len(TIMEFRAMES):
            bars, grown = now, time.monotonic()
    return bars, grown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("symbol")
    parser.add_argument("--home", type=Path)
    arguments = parser.parse_args()
    home = open_home(arguments.home)
    connection = psycopg2.connect(**open_platform(home).reader_dsn)
    began = time.monotonic()
    command = [sys.executable, "-m", "stack", "symbols", "add", arguments.symbol, "--home", str(home.path)]
    subprocess.run(command, cwd=REPO, check=True)
    added = time.monotonic()
    symbol = arguments.symbol.upper()
    until(connection, CHART, symbol)
    drawn = time.monotonic()
    until(connection, SENT, symbol)
    bars, grown = last_growth(connection, symbol)
    print(
        f"added in {added - began:.1f} s; then chart {drawn - added:.1f} s, history of {bars} bars {grown - added:.1f} s"
    )


if __name__ == "__main__":
    main()
