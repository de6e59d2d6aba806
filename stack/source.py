"""Where the prices come from: chosen once for a home, never changed by itself."""

import os

from curl_cffi import requests
from curl_cffi.requests.exceptions import RequestException

from stack.errors import Exit, StackError
from stack.state import Source, State

PROBE_URL = "https://query1.finance.yahoo.com/v8/finance/chart/AAPL?range=1d&interval=1d"
PROBE_LIMIT_S = 6.0


def unreachable() -> str | None:
    """None when Yahoo answers anything at all (429, 401 and 5xx are answers), else why it does not, in a few words.

    Asked the way yfinance asks: curl in a browser's dress, with the user's proxy and certificates.
    """
    bundle = next(
        (os.environ[n] for n in ("CURL_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE") if os.environ.get(n)), None
    )
    try:
        requests.get(
            PROBE_URL,
            timeout=PROBE_LIMIT_S,
            impersonate="chrome",
            verify=bundle or True,  # type: ignore[arg-type]  # its types leave out the path of a bundle
            allow_redirects=False,
        )
    except RequestException as error:
        return short(str(error))
    return None


def short(message: str) -> str:
    """curl's message without its advice."""
    text = message.partition(". See http")[0].partition(" See http")[0]
    return text.removeprefix("Failed to perform, ").rstrip(". ")


def decide(kept: State | None, asked: Source | None) -> tuple[Source, str]:
    """The source and why. Raises `StackError` when a home that has one is asked for another."""
    if kept is not None:
        if asked is not None and asked != kept.source:
            sentence = (
                f"this home is fed by {kept.source} and keeps its source: give {asked} a home of its own with --home DIR, "
                "or clear this one with `candlestream reset`"
            )
            raise StackError(Exit.OTHER_SOURCE, sentence)
        return kept.source, kept.source_reason
    if asked is not None:
        return asked, "asked for with --source"
    why = unreachable()
    if why is None:
        return "yahoo", "Yahoo Finance answers"
    return "simulator", f"Yahoo Finance cannot be reached ({why}), so the simulated exchange feeds this home"
