"""Switching faults at run time, over HTTP and by the command line."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from typer.testing import CliRunner

from simulator.app import plain_app
from simulator.faults.admin import add_admin
from simulator.faults.command import app as command
from simulator.faults.schedule import Schedule


def application(schedule: Schedule, clock_ms: int = 1_000_000) -> web.Application:
    app = plain_app(dict)
    add_admin(app, schedule, lambda: clock_ms)
    return app


def asked(schedule: Schedule, method: str, path: str, **request: Any) -> tuple[int, Any]:
    async def run() -> tuple[int, Any]:
        async with TestClient(TestServer(application(schedule))) as client:
            answer = await client.request(method, path, **request)
            return answer.status, await answer.json()

    return asyncio.run(run())


def test_faults_are_added_listed_and_ended():
    schedule = Schedule()
    status, body = asked(schedule, "POST", "/admin/faults", json={"kind": "hang", "for": "2m"})
    assert status == 200
    assert [(each["name"], each["state"]) for each in body["faults"]] == [("hang", "on")]
    assert body["faults"][0]["to"] == "1970-01-01T00:18:40+00:00"
    assert asked(schedule, "DELETE", "/admin/faults/drip")[0] == 404
    assert asked(schedule, "DELETE", "/admin/faults/hang")[1]["faults"] == []
    assert asked(schedule, "GET", "/admin/faults")[1]["faults"] == []


def test_a_whole_scenario_is_taken_or_none_of_it():
    schedule = Schedule()
    wrong = {"fault": [{"kind": "hang"}, {"kind": "flood"}]}
    status, body = asked(schedule, "POST", "/admin/scenario", json=wrong)
    assert (status, body["error"].split(":")[0]) == (400, "fault.1")
    assert schedule.listed(0) == []
    right = {"fault": [{"kind": "hang"}, {"kind": "html", "at": "+1m"}]}
    assert [each["state"] for each in asked(schedule, "POST", "/admin/scenario", json=right)[1]["faults"]] == [
        "on",
        "to come",
    ]


@pytest.mark.parametrize("body", [b"", b"hang", b"[]", b'{"kind": "hang", "for": "soon"}'])
def test_what_is_no_fault_is_refused_with_a_reason(body: bytes):
    status, answer = asked(Schedule(), "POST", "/admin/faults", data=body, headers={"Content-Type": "application/json"})
    assert status == 400
    assert answer["error"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "rebound.example:8443"}, 403),
        ({"Origin": "https://page.example"}, 403),
        ({"Content-Type": "text/plain"}, 415),
    ],
)
def test_web_pages_cannot_switch_faults(headers: dict[str, str], status: int):
    schedule = Schedule()
    sent = {"Content-Type": "application/json"} | headers
    assert asked(schedule, "POST", "/admin/faults", data=b'{"kind": "hang"}', headers=sent)[0] == status
    assert schedule.listed(0) == []


@pytest.fixture
def port() -> Iterator[int]:
    """An exchange's plain port, served by a thread."""
    started, loop = threading.Event(), asyncio.new_event_loop()
    ports: list[int] = []

    async def serve() -> TestServer:
        server = TestServer(application(Schedule()))
        await server.start_server(access_log=None)
        ports.append(server.port or 0)
        started.set()
        return server

    def run() -> None:
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(serve())
        loop.run_forever()
        loop.run_until_complete(server.close())

    thread = threading.Thread(target=run)
    thread.start()
    started.wait(5)
    yield ports[0]
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)
    loop.close()


def command_line(port: int, *arguments: str) -> tuple[int, str]:
    ended = CliRunner().invoke(command, [*arguments, "--port", str(port)] if port else list(arguments))
    return ended.exit_code, ended.output


def test_the_command_line_switches_faults_on_and_off(port: int, tmp_path: Path):
    code, said = command_line(port, "on", "throttle", "retry_after_s=30", "--for", "2m", "--symbols", "AAPL,MSFT")
    assert (code, "AAPL,MSFT" in said) == (0, True)
    scenario = tmp_path / "s.toml"
    scenario.write_text('[[fault]]\nkind = "halt"\nat = 2026-11-27T11:00:00-05:00\nname = "noon"\n')
    assert command_line(port, "load", str(scenario))[0] == 0
    assert command_line(port, "off", "throttle")[0] == 0
    said = command_line(port, "list")[1]
    assert "to come noon" in said
    assert "throttle" not in said


def test_the_command_line_says_what_is_wrong(port: int, tmp_path: Path):
    assert command_line(port, "on", "throttle", "retry_after_s=soon")[0] == 2
    assert command_line(port, "on", "throttle", "soon") == (2, "'soon' is not NAME=VALUE\n")
    assert command_line(port, "off", "nothing") == (2, "no fault is called nothing\n")
    assert command_line(0, "check", str(tmp_path / "none.toml"))[0] == 2
    code, said = command_line(1, "list")
    assert (code, said.startswith("no simulated exchange answers on port 1")) == (3, True)
