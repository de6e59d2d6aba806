"""What all DAGs share."""

from datetime import UTC, datetime, timedelta

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

OWNER = "candlestream"
START = datetime(2026, 1, 1, tzinfo=UTC)


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
            throttled,
            RetryRule("dags.failures.PartAway", RetryAction.RETRY, timedelta(seconds=20), reason="a part was away"),
            RetryRule("dags.failures.ProviderFailed", RetryAction.RETRY, timedelta(seconds=10), reason="provider"),
        ]
    )
