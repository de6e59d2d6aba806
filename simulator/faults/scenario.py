"""A scenario: a file in TOML that says what goes wrong, when, for which symbols and for how long."""

import tomllib
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from simulator.faults.base import Fault
from simulator.faults.kinds import AnyFault
from simulator.faults.when import absolute_ms


class BadScenario(ValueError):
    """A file that is no scenario; `str()` says where and why."""


class Scenario(BaseModel):
    """`starts` is the moment that relative times count from; without it, the one at which the scenario is loaded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    starts: Annotated[int | None, BeforeValidator(lambda value: None if value is None else absolute_ms(value))] = None
    fault: tuple[AnyFault, ...] = Field(min_length=1)

    @property
    def faults(self) -> tuple[Fault, ...]:
        return self.fault

    def start_ms(self, now_ms: int) -> int:
        return now_ms if self.starts is None else self.starts


def read_scenario(path: Path) -> Scenario:
    """The scenario in a file. Raises `BadScenario`, `OSError`."""
    try:
        return scenario_of(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadScenario(f"{path}: {error}") from error
    except BadScenario as error:
        raise BadScenario(f"{path}: {error}") from error


def scenario_of(body: Any) -> Scenario:
    """Raises `BadScenario` with the first thing that is wrong."""
    try:
        return Scenario.model_validate(body)
    except ValidationError as error:
        raise BadScenario(first_of(error)) from error


def first_of(error: ValidationError) -> str:
    """The place and the reason of a validation's first complaint."""
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


def jsonable(body: dict[str, Any]) -> dict[str, Any]:
    """A scenario as read from TOML, with its times as text."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(each) for name, each in value.items()}
        if isinstance(value, list):
            return [plain(each) for each in value]
        return value.isoformat() if isinstance(value, datetime) else value

    return {name: plain(value) for name, value in body.items()}
