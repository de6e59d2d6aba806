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

# Who asks the provider waits for a place (dags/pools.json): one at a time for history, so that the minute poll keeps its share of
# the budget, and one for minutes, so that no second poller spends it twice. The ledger has a place of its own: a backfill of
# hundreds of symbols takes hours, and what is missing meanwhile is to be told and repaired.
HISTORY_POOL = "history"
REPAIR_POOL = "repair"
MINUTES_POOL = "minutes"

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


def retry_policy(
    throttled_delay: timedelta | None, provider_delay: timedelta | None = timedelta(seconds=10)
) -> ExceptionRetryPolicy:
    """By what failed. A delay of None: a task that soon runs again anyway leaves a throttled or failing provider alone."""
    return ExceptionRetryPolicy(
        [
            RetryRule("dags.failures.BadConfiguration", RetryAction.FAIL, reason="the configuration is wrong"),
            RetryRule("dags.failures.NoSuchSymbol", RetryAction.FAIL, reason="asking again makes no symbol"),
            RetryRule("dags.failures.QualityTooLow", RetryAction.FAIL, reason="asking again makes no better data"),
            _again("dags.failures.Throttled", throttled_delay, "throttled"),
            _again("dags.failures.PartAway", timedelta(seconds=20), "a part was away"),
            _again("dags.failures.StandsStill", timedelta(seconds=45), "it may move again"),
            _again("dags.failures.ProviderFailed", provider_delay, "provider"),
        ]
    )


def _again(exception: str, delay: timedelta | None, reason: str) -> RetryRule:
    if delay is None:
        return RetryRule(exception, RetryAction.FAIL, reason=f"{reason}; the next run asks again")
    return RetryRule(exception, RetryAction.RETRY, delay, reason=reason)
