"""Quix Streams: one-minute OHLCV with state in RocksDB and its own PostgreSQL sink. Runs in an environment of its own.

    python bench/peers/quix.py WAY BOOTSTRAP TOPIC GROUP STATE_FOLDER HOST PORT DATABASE USER TABLE

WAY is `windows`, its tumbling windows with one `reduce` for the whole bar, or `state`, a stateful function of our own that keeps
the forming bar of each key and is quicker. Both write a bar when it closes, by its symbol's next trade: a row for every trade would
be too much for the sink. State is not copied to a changelog topic, which spares it that work and makes it forget everything with
its disk. It has no clock, no sessions, no duplicates, no revisions, no higher timeframes and no indicators here.
"""

import sys

from quixstreams import Application, State
from quixstreams.dataframe import StreamingDataFrame
from quixstreams.sinks.community.postgresql import PostgreSQLSink

MINUTE_MS, GRACE_MS = 60_000, 1_000


def first(record: dict) -> dict:
    price, volume = record["price"], record["day_volume"]
    return {"open": price, "high": price, "low": price, "close": price, "first": volume, "last": volume, "ticks": 1}


def add(bar: dict, record: dict) -> dict:
    price = record["price"]
    if price > bar["high"]:
        bar["high"] = price
    elif price < bar["low"]:
        bar["low"] = price
    bar["close"] = price
    bar["last"] = record["day_volume"]
    bar["ticks"] += 1
    return bar


def row(window: dict, key: str, *_: object) -> dict:
    bar = window["value"]
    return {
        "symbol": key,
        "ts_ms": window["start"],
        "open": bar["open"],
        "high": bar["high"],
        "low": bar["low"],
        "close": bar["close"],
        "volume": float(bar["last"] - bar["first"]),
        "ticks": bar["ticks"],
    }


def follow(record: dict, state: State) -> list[dict]:
    """The bar that the trade closes, if it does."""
    bar, minute = state.get("bar"), record["event_ms"] // MINUTE_MS
    if bar is not None and bar["minute"] >= minute:
        state.set("bar", add(bar, record))
        return []
    state.set("bar", first(record) | {"symbol": record["symbol"], "minute": minute})
    return [] if bar is None else [row({"start": bar["minute"] * MINUTE_MS, "value": bar}, bar["symbol"])]


def closed_bars(trades: StreamingDataFrame, way: str) -> StreamingDataFrame:
    if way == "state":
        return trades.apply(follow, stateful=True, expand=True)
    windows = trades.tumbling_window(MINUTE_MS, grace_ms=GRACE_MS).reduce(reducer=add, initializer=first)
    return windows.final().apply(row, metadata=True)


def main() -> None:
    way, bootstrap, topic_name, group, state, host, port, database, user, table = sys.argv[1:]
    application = Application(
        broker_address=bootstrap,
        consumer_group=group,
        auto_offset_reset="earliest",
        state_dir=state,
        use_changelog_topics=False,
        loglevel="WARNING",
        consumer_extra_config={
            "fetch.message.max.bytes": 16 << 20,
            "queued.min.messages": 1_000_000,
            "queued.max.messages.kbytes": 1 << 20,
        },
    )
    topic = application.topic(
        topic_name,
        key_deserializer="str",
        value_deserializer="json",
        timestamp_extractor=lambda record, headers, timestamp, kind: record["event_ms"],
    )
    sink = PostgreSQLSink(
        host=host,
        port=int(port),
        dbname=database,
        user=user,
        password=None,  # libpq takes it from PGPASSFILE
        table_name=table,
        schema_auto_update=False,
        include_metadata=False,
        primary_key_columns=["symbol", "ts_ms"],
        upsert_on_primary_key=True,
    )
    trades = application.dataframe(topic).filter(lambda record: record["kind"] == "tick")
    closed_bars(trades, way).sink(sink)
    application.run()


if __name__ == "__main__":
    main()
