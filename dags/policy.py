"""What all DAGs share."""

from datetime import UTC, datetime, timedelta

from airflow.sdk import (
    Asset,
    DeadlineAlert,
    DeadlineReference,
    ExceptionRetryPolicy,
    RetryAction,
    RetryRule,
    SyncCallback,
)

OWNER = "candlestream"
START = datetime(2026, 1, 1, tzinfo=UTC)

# One at a time asks the provider for history (dags/pools.json), so that the minute poll keeps its share of the budget.
HISTORY_POOL = "history"

# The gap ledger is up to date; reports of sessions that closed are written.
LEDGER = Asset("ledger", uri="candlestream://ledger")
SESSIONS = Asset("sessions", uri="candlestream://sessions")


def deadline(within: timedelta) -> DeadlineAlert:
    """A run that is not done so long after it was queued is told in `v1.service_status` (dags/deadlines.py)."""
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=within,
        callback=SyncCallback("dags.deadlines.missed", kwargs={"seconds": within.total_seconds()}),
    )


def retry_policy(throttled_delay: timedelta | None) -> ExceptionRetryPolicy:
    """By what failed. `throttled_delay` None: a task that soon runs again anyway leaves a throttled provider alone."""
    throttled = (
        RetryRule("dags.failures.Throttled", RetryAction.FAIL, reason="throttled; the next run asks again")
        if throttled_delay is None
        else RetryRule("dags.failures.Throttled", RetryAction.RETRY, throttled_delay, reason="throttled")
    )
    return ExceptionRetryPolicy(
        [
            RetryRule("dags.failures.BadConfiguration", RetryAction.FAIL, reason="the configuration is wrong"),
            RetryRule("dags.failures.QualityTooLow", RetryAction.FAIL, reason="asking again makes no better data"),
            throttled,
            RetryRule("dags.failures.PartAway", RetryAction.RETRY, timedelta(seconds=20), reason="a part was away"),
            RetryRule("dags.failures.ProviderFailed", RetryAction.RETRY, timedelta(seconds=10), reason="provider"),
        ]
    )
