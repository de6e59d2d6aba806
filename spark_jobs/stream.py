"""Kafka to PostgreSQL: bars and indicators, exactly once. `spark-submit spark_jobs/stream.py`

Exit codes: 0 stopped, 2 bad configuration, 3 fenced out by another driver.
"""

import sys

from pydantic import ValidationError

from market.choices import BadChoice
from spark_jobs.settings import Settings, problems
from spark_jobs.start.session import Session


def main() -> int:
    try:
        settings = Settings()  # type: ignore[call-arg]
        settings.chosen  # noqa: B018  (what cannot be computed is said before anything starts)
    except ValidationError as error:
        sys.stderr.write(f"stream: {problems(error)}\n")
        return 2
    except BadChoice as error:
        sys.stderr.write(f"stream: {error}\n")
        return 2
    with Session("candlestream stream") as session:
        # Imported while the JVM makes its session: both take seconds, and a start waits for the longer one only.
        from spark_jobs.query import run

        return run(session, settings)


if __name__ == "__main__":
    sys.exit(main())
