"""The whole fault table as a scenario: what answers do wrong one after the other, and beside it what the feed does wrong."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

# Each kind with its parameters. What the market itself does (halt, split, dividend, auction, early close) is in market.toml.
ANSWERS: tuple[tuple[str, dict[str, object]], ...] = (
    ("missing_minutes", {"restored_after": "1h"}),
    ("corrected_bars", {"after": "2h"}),
    ("throttle", {"retry_after_s": 5}),
    ("bad_crumb", {}),
    ("bad_crumb", {"renewable": False}),
    ("server_error", {"status": 502}),
    ("html", {}),
    ("hang", {}),
    ("slow_drip", {"bytes_per_s": 200}),
    ("cut", {}),
    ("truncated", {}),
    ("truncated", {"framing": "broken"}),
    ("null", {"shape": "body"}),
    ("null", {"shape": "result"}),
    ("null", {"shape": "rows"}),
    ("null", {"shape": "empty"}),
    ("short_arrays", {}),
    ("wrong_time_zone", {"zone": "Mars/Base"}),
    ("wrong_time_zone", {}),
    ("request_budget", {"per_minute": 1}),
    ("throttle", {}),
)
FEED: tuple[tuple[str, dict[str, object]], ...] = (
    ("duplicate_ticks", {"after": "3s"}),
    ("out_of_order_ticks", {"by": "20s"}),
    ("bad_prices", {}),
    ("bad_prices", {"value": "nan"}),
    ("bad_prices", {"value": "spike"}),
    # Believed, until the provider's row says otherwise.
    ("bad_prices", {"value": "spike", "factor": 3.0}),
    ("feed_garbage", {"share": 0.5}),
    ("feed_close", {}),
    ("feed_abort", {}),
    ("feed_silence", {}),
    ("feed_silence", {"answers_pings": False}),
    ("volume_reset", {}),
    ("clock_skew", {"skew_s": 20}),
)
LASTS, EVERY = timedelta(minutes=8), timedelta(minutes=9)


def scenario(windows: Sequence[tuple[str, str]]) -> str:
    """TOML: both tables, laid out over the windows (begin, end at the exchange), until all had their turn."""
    return "".join([*_lane("answer", ANSWERS, windows), *_lane("feed", FEED, windows)])


def _lane(
    lane: str, kinds: Sequence[tuple[str, dict[str, object]]], windows: Sequence[tuple[str, str]]
) -> Iterator[str]:
    moments = _moments(windows)
    for number, (kind, parameters) in enumerate(kinds):
        yield f'\n[[fault]]\nkind = "{kind}"\nname = "{lane}-{number}"\n'
        yield f'at = {next(moments).isoformat()}\nfor = "{int(LASTS.total_seconds())}s"\n'
        for name, value in parameters.items():
            yield f"{name} = {_written(value)}\n"


def _moments(windows: Sequence[tuple[str, str]]) -> Iterator[datetime]:
    for begin, end in windows:
        at, until = datetime.fromisoformat(begin) + timedelta(minutes=3), datetime.fromisoformat(end)
        while at + LASTS <= until:
            yield at
            at += EVERY


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
