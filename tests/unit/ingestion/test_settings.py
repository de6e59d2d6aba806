from pathlib import Path

import pytest

from ingestion import settings
from ingestion.__main__ import main
from ingestion.arguments import parser
from ingestion.errors import BadConfiguration
from ingestion.settings import Settings, apply_feed_environment

pytestmark = pytest.mark.unit

URL = "postgresql://candlestream_writer@127.0.0.1/candlestream"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("CANDLESTREAM_"):
            monkeypatch.delenv(name)


def test_symbols_are_a_list_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANDLESTREAM_DATABASE_URL", URL)
    monkeypatch.setenv("CANDLESTREAM_SYMBOLS", "aapl, BTC-USD,,AAPL")
    assert settings.load().symbols == ["AAPL", "BTC-USD"]


def test_simulated_data_have_topics_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANDLESTREAM_DATABASE_URL", URL)
    assert settings.load().kafka_prefix == ""
    monkeypatch.setenv("CANDLESTREAM_SOURCE", "simulator")
    assert settings.load().kafka_prefix == "simulator."


def test_bad_configuration_is_one_sentence_that_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANDLESTREAM_DATABASE_URL", URL)
    monkeypatch.setenv("CANDLESTREAM_REQUESTS_PER_MINUTE", "none")
    with pytest.raises(BadConfiguration, match="CANDLESTREAM_REQUESTS_PER_MINUTE"):
        settings.load()


def test_bad_configuration_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["poll"]) == 2
    assert "CANDLESTREAM_DATABASE_URL" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["wait"],
        ["poll", "--hard"],
        ["backfill", "--since", "yesterday"],
        ["dead-letters", "list", "--state", "bogus"],
    ],
)
def test_an_unknown_verb_or_option_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["poll", "backfill", "ledger", "gaps", "actions"])
def test_a_symbol_has_one_name_in_whatever_case_it_is_typed(command: str) -> None:
    assert parser().parse_args([command, "--symbols", "aapl, ^gspc"]).symbols == ["AAPL", "^GSPC"]


def test_the_simulated_exchange_wins_over_the_machines_proxy() -> None:
    environ = {"HTTPS_PROXY": "http://company:3128", "no_proxy": "*", "SSL_CERT_FILE": "/etc/company.pem"}
    simulated = Settings(database_url=URL, feed_proxy="http://127.0.0.1:8443", feed_ca=Path("/home/ca.pem"))
    apply_feed_environment(simulated, environ)
    assert environ == {
        "HTTPS_PROXY": "http://127.0.0.1:8443",
        "https_proxy": "http://127.0.0.1:8443",
        "SSL_CERT_FILE": "/home/ca.pem",
        "CURL_CA_BUNDLE": "/home/ca.pem",
        "REQUESTS_CA_BUNDLE": "/home/ca.pem",
    }


def test_a_companys_certificates_that_are_named_once_hold_for_all_libraries() -> None:
    environ = {"HTTPS_PROXY": "http://company:3128", "NO_PROXY": "localhost", "SSL_CERT_FILE": "/etc/company.pem"}
    apply_feed_environment(Settings(database_url=URL), environ)
    assert environ["HTTPS_PROXY"] == "http://company:3128"
    assert environ["NO_PROXY"] == "localhost"
    assert environ["CURL_CA_BUNDLE"] == environ["REQUESTS_CA_BUNDLE"] == "/etc/company.pem"


def test_without_proxy_or_certificates_nothing_is_changed() -> None:
    environ = {"PATH": "/bin"}
    apply_feed_environment(Settings(database_url=URL), environ)
    assert environ == {"PATH": "/bin"}


TIMELINE = "60 2026-01-05T10:00:00Z>2024-03-28T11:50:00Z"


def test_a_simulated_exchange_brings_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANDLESTREAM_DATABASE_URL", URL)
    assert settings.load().timeline is None
    monkeypatch.setenv("CANDLESTREAM_SOURCE", "simulator")
    monkeypatch.setenv("CANDLESTREAM_SIMULATOR_TIMELINE", TIMELINE)
    timeline = settings.load().timeline
    assert timeline is not None
    assert timeline.speed == 60


@pytest.mark.parametrize(
    ("source", "timeline", "said"),
    [("yahoo", TIMELINE, "machine's time"), ("simulator", "60", "a timeline has a window")],
)
def test_real_data_have_no_other_time_and_a_bad_timeline_is_said(
    monkeypatch: pytest.MonkeyPatch, source: str, timeline: str, said: str
) -> None:
    monkeypatch.setenv("CANDLESTREAM_DATABASE_URL", URL)
    monkeypatch.setenv("CANDLESTREAM_SOURCE", source)
    monkeypatch.setenv("CANDLESTREAM_SIMULATOR_TIMELINE", timeline)
    with pytest.raises(BadConfiguration, match=f"CANDLESTREAM_SIMULATOR_TIMELINE.*{said}"):
        settings.load()
