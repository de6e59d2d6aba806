"""What is on and when: the faults of all scenarios, resolved to the exchange's time, kept over restarts."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson
import structlog
from pydantic import ValidationError

from simulator.faults.base import FOREVER_MS, F, Fault, Scheduled, of_kind
from simulator.faults.kinds import read_fault
from simulator.faults.market import of_trading
from simulator.faults.when import iso

log = structlog.get_logger()

# What has been over for so long can be seen no more, unless it is of trading: that is history.
FORGOTTEN_AFTER_MS = 24 * 3_600_000


class UnknownFault(KeyError):
    """No fault of that name is scheduled."""


class Schedule:
    """The faults in the order in which they were added. `changed` is set, and every listener called, whenever they change."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._faults: tuple[Scheduled[Fault], ...] = ()
        self._by_type: dict[type[Fault], list[Scheduled[Any]]] = {}
        self.changed = asyncio.Event()
        self.listeners: list[Callable[[], None]] = []
        if path is not None and path.exists():
            self._faults = tuple(stored(path))

    def of(self, kind: type[F]) -> list[Scheduled[F]]:
        """The faults of a class, past and future ones too."""
        found = self._by_type.get(kind)
        if found is None:
            found = of_kind(self._faults, kind)
            self._by_type[kind] = found
        return found

    def reaching(self, kind: type[F], now_ms: int) -> list[Scheduled[F]]:
        """Those of a class that can be noticed now."""
        return [scheduled for scheduled in self.of(kind) if scheduled.reaches(now_ms)]

    def is_on(self, name: str, now_ms: int) -> bool:
        return any(scheduled.name == name and scheduled.covers(now_ms) for scheduled in self._faults)

    def add(self, faults: Iterable[Fault], start_ms: int) -> list[Scheduled[Fault]]:
        """Schedules faults whose relative moments count from `start_ms`. One without a name is called after its kind."""
        taken = {scheduled.name for scheduled in self._faults}
        added = []
        for fault in faults:
            name = free_name(fault.name or fault.kind, taken)
            taken.add(name)
            from_ms = fault.at.after(start_ms)
            added.append(Scheduled(name, fault, from_ms, FOREVER_MS if fault.for_ is None else from_ms + fault.for_))
        self._become((*self._faults, *added), start_ms)
        return added

    def end(self, name: str, now_ms: int) -> None:
        """Ends a fault now, with all that would come after it; what it did to trading stays. Raises `UnknownFault`."""
        if name not in {scheduled.name for scheduled in self._faults}:
            raise UnknownFault(name)
        self._become(ended(self._faults, now_ms, {name}), now_ms)

    def end_all(self, now_ms: int) -> None:
        self._become(ended(self._faults, now_ms, {scheduled.name for scheduled in self._faults}), now_ms)

    def listed(self, now_ms: int) -> list[dict[str, Any]]:
        """All faults for people and programs to read."""
        return [
            {
                "name": scheduled.name,
                "state": "over" if now_ms >= scheduled.to_ms else "on" if scheduled.covers(now_ms) else "to come",
                "from": iso(scheduled.from_ms),
                "to": None if scheduled.to_ms == FOREVER_MS else iso(scheduled.to_ms),
                "fault": written(scheduled.fault),
            }
            for scheduled in self._faults
        ]

    def _become(self, faults: tuple[Scheduled[Fault], ...], now_ms: int) -> None:
        self._faults = tuple(
            scheduled
            for scheduled in faults
            if of_trading(scheduled.fault)
            or scheduled.fault.reach_ms(scheduled.from_ms, scheduled.to_ms)[1] > now_ms - FORGOTTEN_AFTER_MS
        )
        self._by_type = {}
        if self._path is not None:
            store(self._path, self._faults)
        for listener in self.listeners:
            listener()
        self.changed.set()


def ended(faults: tuple[Scheduled[Fault], ...], now_ms: int, names: set[str]) -> tuple[Scheduled[Fault], ...]:
    """The faults with those of these names over by now. Of these, only what has changed trading stays, as history."""
    return tuple(
        Scheduled(each.name, each.fault, each.from_ms, min(each.to_ms, now_ms)) if each.name in names else each
        for each in faults
        if each.name not in names or (of_trading(each.fault) and each.from_ms < now_ms)
    )


def free_name(wanted: str, taken: set[str]) -> str:
    return (
        wanted
        if wanted not in taken
        else next(f"{wanted}-{n}" for n in range(2, 10**9) if f"{wanted}-{n}" not in taken)
    )


def written(fault: Fault) -> dict[str, Any]:
    return fault.model_dump(mode="json", by_alias=True)


def store(path: Path, faults: tuple[Scheduled[Fault], ...]) -> None:
    """Written aside and renamed, so that a crash leaves the old file or the new one."""
    body = [
        {"name": each.name, "from_ms": each.from_ms, "to_ms": each.to_ms, "fault": written(each.fault)}
        for each in faults
    ]
    aside = path.with_suffix(".new")
    aside.write_bytes(orjson.dumps(body, option=orjson.OPT_INDENT_2))
    aside.replace(path)


def stored(path: Path) -> list[Scheduled[Fault]]:
    """What was stored; a file that cannot be read is left where it is, and said."""
    try:
        return [
            Scheduled(each["name"], read_fault(each["fault"]), each["from_ms"], each["to_ms"])
            for each in orjson.loads(path.read_bytes())
        ]
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        log.warning("the stored faults cannot be read and are left out", file=str(path), reason=str(error)[:300])
        return []
