"""What a home remembers between starts: where its prices come from, its ports, its Java."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from market.topics import prefix_for
from stack.errors import Exit, StackError
from stack.files import write_atomic
from stack.home import Home

Source = Literal["yahoo", "simulator"]
Hours = Literal["24/7", "XNYS"]


class State(BaseModel):
    """`state.json`. The source is set once; ports change only when somebody else took one."""

    model_config = ConfigDict(extra="forbid")

    source: Source
    source_reason: str = ""
    seed: int = 1
    hours: Hours = "24/7"
    ports: dict[str, int] = {}
    postgres_bin: Path | None = None
    java_home: Path | None = None
    java_is_bundled: bool = False
    java_version: int = 0

    @property
    def database(self) -> str:
        return "candlestream" if self.source == "yahoo" else f"candlestream_{self.source}"

    @property
    def topic_prefix(self) -> str:
        return prefix_for(self.source)


def load(home: Home) -> State | None:
    """The state, None in a home that was never started. Raises `StackError` when the file is not ours."""
    if not home.state_file.exists():
        return None
    try:
        return State.model_validate_json(home.state_file.read_text())
    except ValidationError as error:
        sentence = f"{home.state_file} cannot be read ({error.errors()[0]['msg']}): restore it, or `candlestream reset`"
        raise StackError(Exit.HOME, sentence) from error


def require(home: Home) -> State:
    """The state of a home that was started before."""
    state = load(home)
    if state is None:
        raise StackError(Exit.NOT_READY, f"there is no platform in {home.path} yet: run `candlestream up`")
    return state


def save(home: Home, state: State) -> None:
    write_atomic(home.state_file, state.model_dump_json(indent=2) + "\n")
