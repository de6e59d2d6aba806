import json
import sys

import pytest

from dags import failures
from dags.running import run

pytestmark = pytest.mark.unit


def command(script: str) -> list[str]:
    return [sys.executable, "-c", script, "verb"]


def test_the_last_line_is_the_result() -> None:
    summary = {"command": "poll", "bars": 3}
    assert run(command(f"print('a line'); print({json.dumps(summary)!r})")) == summary


@pytest.mark.parametrize(
    ("exit_code", "kind"),
    [
        (2, failures.BadConfiguration),
        (10, failures.Throttled),
        (12, failures.ProviderFailed),
        (20, failures.PartAway),
        (21, failures.PartAway),
        (77, failures.CommandFailed),
    ],
)
def test_an_exit_code_becomes_its_exception_with_the_last_error_as_the_sentence(exit_code: int, kind: type) -> None:
    line = json.dumps({"level": "error", "event": "stopped", "detail": "PostgreSQL cannot be used: refused"})
    with pytest.raises(kind, match=r"verb ended with [0-9]+: PostgreSQL cannot be used: refused") as raised:
        run(command(f"import sys; print({line!r}, file=sys.stderr); sys.exit({exit_code})"))
    assert type(raised.value) is kind


def test_a_summary_with_an_error_speaks_before_the_log() -> None:
    line = json.dumps({"command": "poll", "error": "throttled, next try in 40 s"})
    with pytest.raises(failures.Throttled, match="throttled, next try in 40 s"):
        run(command(f"import sys; print({line!r}); sys.exit(10)"))


def test_exit_codes_agree_with_those_of_ingestion() -> None:
    from ingestion import errors

    assert failures.BY_EXIT_CODE[errors.Throttled.exit_code] is failures.Throttled
    assert failures.BY_EXIT_CODE[errors.BadConfiguration.exit_code] is failures.BadConfiguration
    for kind in (errors.Unauthorised, errors.Unavailable, errors.Malformed):
        assert failures.BY_EXIT_CODE[kind.exit_code] is failures.ProviderFailed
    assert failures.BY_EXIT_CODE[errors.UnknownSymbol.exit_code] is failures.NoSuchSymbol
    for kind in (errors.DatabaseAway, errors.BrokerAway):
        assert failures.BY_EXIT_CODE[kind.exit_code] is failures.PartAway
