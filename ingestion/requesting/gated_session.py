"""An HTTP session that asks the budget first: for a library that makes its own requests and is given a session for them."""

from typing import Any
from urllib.parse import urlsplit

from curl_cffi import requests as curl

from ingestion import metrics
from ingestion.requesting.budget import Budget

REQUEST_TIMEOUT_S = 10.0
CHART_PATH = "/v8/finance/chart/"


class GatedSession(curl.Session[curl.Response]):
    """yfinance's HTTP session, asked for a budget's token at each request, with no time-out longer than ours.

    Remembers the last chart answer, which yfinance does not tell, stops at a 429 at once, where yfinance would send three more
    requests, and leaves a host alone that fails again and again.
    """

    def __init__(self, budget: Budget) -> None:
        super().__init__(impersonate="chrome")
        self.budget = budget
        self.forget()

    def forget(self) -> None:
        self.chart_status = 0
        self.chart_body = b""

    def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Any:
        # The hosts that answer with data have a breaker each; yfinance does without the others' cookies where it must.
        host = urlsplit(url).hostname or ""
        is_data = host.startswith("query")
        self.budget.take(host if is_data else "")
        timeout = kwargs.get("timeout")
        kwargs["timeout"] = min(timeout, REQUEST_TIMEOUT_S) if isinstance(timeout, int | float) else REQUEST_TIMEOUT_S
        try:
            response = super().request(method, url, *args, **kwargs)
        except curl.exceptions.RequestException:
            if is_data:
                self.budget.host_failed(host)
            raise
        if is_data:
            note = self.budget.host_failed if response.status_code >= 500 else self.budget.host_worked
            note(host)
        metrics.REQUESTS.labels(status=str(response.status_code)).inc()
        if CHART_PATH in url:
            self.chart_status, self.chart_body = response.status_code, response.content
        if response.status_code == 429:
            raise self.budget.refused(retry_after_s(response.headers.get("Retry-After")))
        return response


def retry_after_s(header: str | None) -> float | None:
    """The seconds of a Retry-After header; the form with a date is not worth a parser."""
    return float(header) if header and header.strip().isdigit() else None
