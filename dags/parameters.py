"""What was typed where a run was triggered. Pure."""

from collections.abc import Collection

from dags.failures import BadConfiguration


def refuse_strangers(given: Collection[str], known: Collection[str]) -> None:
    """Raises `BadConfiguration` for a parameter that there is not.

    Airflow takes any name: with `symbol` for `symbols` a run would do something else than it was asked for, and say nothing.
    """
    strangers = sorted(set(given) - set(known))
    if strangers:
        raise BadConfiguration(f"there is no parameter {', '.join(strangers)}: there are {', '.join(known)}")
