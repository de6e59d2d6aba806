"""What the supervisor is told about a process: how it starts, how it is asked whether it is well, how it ends."""

import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

# Marks every process of a home, so that what a killed supervisor left behind is found whatever became of its parent.
HOME_MARK = "CANDLESTREAM_SUPERVISED"
PROCESS_MARK = "CANDLESTREAM_PROCESS"


@dataclass(frozen=True, slots=True)
class Health:
    """An answer to a probe: whether it is well, its own word for its state and a sentence for a person."""

    is_well: bool
    state: str = ""
    detail: str = ""
    # How old the word is that this rests on, in seconds; None where the process itself was asked just now.
    age_s: float | None = None


WELL = Health(True, "ok")


def no_life() -> str:
    """What a process is bound to that is bound to none."""
    return ""


def always_well() -> Health:
    """The probe of what nothing has to be waited for."""
    return WELL


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One process. `service` is the name that people use; several processes may make one service."""

    name: str
    service: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    probe: Callable[[], Health]
    cwd: Path
    prepare: Callable[[], None] = field(default=lambda: None)
    # What must be well before it starts; asked for a minute at most, for a part that never comes must not hold it up.
    waits_for: Callable[[], Health] = always_well
    # The life of another process that this one cannot outlive ("" while there is none): with the next one it is started again.
    bound_to: Callable[[], str] = no_life
    stop_signal: signal.Signals = signal.SIGTERM
    stop_limit_s: float = 10.0
    # Above 0 it gives way to the others when processors are short.
    niceness: int = 0
    # Unwell for this long after having been well means hung: it is killed and started again. None: never.
    hung_after_s: float | None = 120.0
    # The same, when its main thread stood still as long: it neither ran nor waited for a processor, so no busy machine is to blame.
    still_after_s: float | None = None
