"""`python -m sql` without a database: what it asks for, and what it says of bad input."""

from pathlib import Path

import pytest

from sql.__main__ import main
from sql.bootstrap import ROLES, BadPasswordFile, passwords

pytestmark = pytest.mark.unit

PASSWORD = "not-to-be-shown"


def pgpass(folder: Path, *lines: str) -> Path:
    path = folder / "pgpass"
    path.write_text("\n".join(lines) + "\n")
    return path


def a_line_each() -> list[str]:
    return [f"127.0.0.1:5432:*:{role}:{PASSWORD}:{number}" for number, role in enumerate(ROLES)]


def test_every_role_has_its_password_colons_and_all(tmp_path: Path) -> None:
    found = passwords(pgpass(tmp_path, "# comment", "", *a_line_each()))
    assert found["candlestream_migrator"] == f"{PASSWORD}:0"
    assert set(found) == set(ROLES)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (a_line_each()[:-1], "no password for candlestream_airflow"),
        ([*a_line_each(), f"{PASSWORD}"], "line 5 of"),
    ],
)
def test_a_password_file_that_lacks_something_is_told_without_its_passwords(
    tmp_path: Path, lines: list[str], said: str
) -> None:
    with pytest.raises(BadPasswordFile, match=said) as refused:
        passwords(pgpass(tmp_path, *lines))
    assert PASSWORD not in str(refused.value)


@pytest.mark.parametrize("arguments", [[], ["downgrade"], ["upgrade", "now"]])
def test_what_is_no_verb_gets_usage_and_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "usage: python -m sql bootstrap|upgrade" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("verb", "variables"),
    [
        ("upgrade", ["CANDLESTREAM_MIGRATOR_URL"]),
        ("bootstrap", ["CANDLESTREAM_MIGRATOR_URL", "CANDLESTREAM_ADMIN_URL", "PGPASSFILE"]),
    ],
)
def test_missing_configuration_is_one_sentence_that_names_the_variables(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    verb: str,
    variables: list[str],
) -> None:
    for name in variables:
        monkeypatch.delenv(name, raising=False)
    assert main([verb]) == 2
    assert capsys.readouterr().err == f"sql: set {', '.join(variables)}\n"


def test_a_database_that_is_away_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CANDLESTREAM_MIGRATOR_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    assert main(["upgrade"]) == 1
    said = capsys.readouterr().err
    assert "refused" in said
    assert len(said.strip().splitlines()) == 1
