"""The humbling baseline: confluent-kafka, orjson and a dict; minute bars to PostgreSQL by COPY and one upsert a commit.

    python bench/peers/loop.py HOW BOOTSTRAP TOPIC PARTITION[,PARTITION…] GROUP DATABASE_URL TABLE

HOW is `batches`, thousands of records a call of the library, or `poll`, one record a call, as most examples have it.
Offsets are committed after the database's commit, so that a crash counts ticks twice: there is no ledger. It knows no clock, no
sessions, no late ticks, no duplicates, no revisions, no higher timeframes and no indicators, and validates nothing.
"""

import io
import sys
import time

import orjson
import psycopg2
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

MINUTE_MS = 60_000
COMMIT_EVERY_S = 1.0
RECORDS_A_CALL = 10_000
SETTINGS = {
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
    # The library fetches ahead while the loop computes; a megabyte a fetch and 64 MB in all are too little for that.
    "fetch.message.max.bytes": 16 << 20,
    "queued.min.messages": 1_000_000,
    "queued.max.messages.kbytes": 1 << 20,
}

# (symbol, minute) → [open, high, low, close, first day volume, last day volume, ticks]
Bars = dict[tuple[str, int], list[float]]


def fold(messages: list[Message], bars: Bars, changed: set[tuple[str, int]]) -> None:
    loads = orjson.loads
    for message in messages:
        record = loads(message.value() or b"")
        if record["kind"] != "tick":
            continue
        key = (record["symbol"], record["event_ms"] // MINUTE_MS)
        price, volume = record["price"], record["day_volume"]
        bar = bars.get(key)
        if bar is None:
            bars[key] = [price, price, price, price, volume, volume, 1]
        else:
            if price > bar[1]:
                bar[1] = price
            elif price < bar[2]:
                bar[2] = price
            bar[3] = price
            bar[5] = volume
            bar[6] += 1
        changed.add(key)


def write(connection: psycopg2.extensions.connection, table: str, bars: Bars, changed: set[tuple[str, int]]) -> None:
    rows = io.StringIO()
    for symbol, minute in changed:
        o, h, low, c, first, last, ticks = bars[symbol, minute]
        rows.write(f"{symbol}\t{minute * MINUTE_MS}\t{o}\t{h}\t{low}\t{c}\t{last - first}\t{ticks}\n")
    rows.seek(0)
    with connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE IF NOT EXISTS stage (LIKE {table}) ON COMMIT DELETE ROWS")
        cursor.copy_expert("COPY stage FROM STDIN", rows)
        cursor.execute(
            f"""INSERT INTO {table} SELECT * FROM stage
                ON CONFLICT (symbol, ts_ms) DO UPDATE SET open = excluded.open, high = excluded.high, low = excluded.low,
                    close = excluded.close, volume = excluded.volume, ticks = excluded.ticks"""  # noqa: S608
        )


def forget(bars: Bars, changed: set[tuple[str, int]]) -> None:
    """Bars two minutes older than the newest: their partition has gone on, what is late for them is lost."""
    newest = max(minute for _, minute in changed)
    for key in [key for key in bars if key[1] < newest - 2]:
        del bars[key]


def polled(consumer: Consumer) -> list[Message]:
    message = consumer.poll(0.05)
    return [] if message is None else [message]


def main() -> None:
    how, bootstrap, topic, partitions, group, url, table = sys.argv[1:]
    connection = psycopg2.connect(url)
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group} | SETTINGS)
    consumer.assign([TopicPartition(topic, int(number), OFFSET_BEGINNING) for number in partitions.split(",")])
    bars: Bars = {}
    changed: set[tuple[str, int]] = set()
    due = time.monotonic() + COMMIT_EVERY_S
    while True:
        messages = consumer.consume(RECORDS_A_CALL, 0.05) if how == "batches" else polled(consumer)
        fold(messages, bars, changed)
        if changed and (not messages or time.monotonic() >= due):
            write(connection, table, bars, changed)
            consumer.commit(asynchronous=False)
            forget(bars, changed)
            changed.clear()
            due = time.monotonic() + COMMIT_EVERY_S


if __name__ == "__main__":
    main()
