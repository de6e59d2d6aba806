"""The indicators that a user adds to the kernel's own, as data: a timeframe, a kind and its parameters, read from TOML.

    ["1d"]
    sma = [100, 150]
    rsi = [7]
    macd = [[5, 35, 5]]

`market.chosen` computes them. Here is what may be asked for, and where each has its columns.
"""

import hashlib
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from market.errors import MarketError
from market.timeframes import TIMEFRAMES

# Bars: as many as stand in memory before the first bar that a batch changes (`market.indicators.LOOKBACK`).
MOST_BARS = 200
MOST_WIDTH = 10.0
MOST_PARAMETERS = 3


class BadChoice(MarketError):
    """What cannot be computed: one sentence that names the entry."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number of bars, unless it says otherwise."""

    name: str
    least: float = 1
    most: float = MOST_BARS
    is_whole: bool = True
    default: float | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """`names` are what it gives, `n_state` the numbers that it must know of the bar before."""

    names: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    n_state: int


BARS = (Parameter("bars"),)
KINDS = {
    "sma": Kind(("sma",), BARS, 0),
    "ema": Kind(("ema",), BARS, 1),
    "rsi": Kind(("rsi",), BARS, 2),
    "macd": Kind(
        ("macd", "macd_signal", "macd_histogram"),
        (Parameter("fast bars"), Parameter("slow bars", least=2), Parameter("signal bars")),
        3,
    ),
    "bollinger": Kind(
        ("bb_upper", "bb_middle", "bb_lower"),
        (Parameter("bars", least=2), Parameter("width", least=0.1, most=MOST_WIDTH, is_whole=False, default=2.0)),
        0,
    ),
    "atr": Kind(("atr",), BARS, 1),
    "roc": Kind(("roc",), BARS, 0),
    "volatility": Kind(("volatility",), (Parameter("bars", least=2),), 0),
    "volume_sma": Kind(("volume_sma",), BARS, 0),
}
CODES = {kind: code for code, kind in enumerate(KINDS)}
# Timeframes by number, as `market.memory.FRAMES` counts those of regular hours.
FRAME_NUMBERS = {timeframe: number for number, timeframe in enumerate(TIMEFRAMES)}


@dataclass(frozen=True, slots=True)
class Choice:
    """One kind with its parameters for one timeframe."""

    timeframe: str
    kind: str
    parameters: tuple[float, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return KINDS[self.kind].names

    @property
    def n_state(self) -> int:
        return KINDS[self.kind].n_state

    @property
    def params(self) -> str:
        """As it stands in the table: `7`, `5,35,5`, `20,2.5`."""
        return ",".join(f"{number:g}" for number in self.parameters)

    @property
    def key(self) -> tuple[str, str, str]:
        return self.timeframe, self.kind, self.params

    def __str__(self) -> str:
        return f"{self.timeframe} {self.kind} {self.params}"


@dataclass(frozen=True)
class Choices:
    """All that is chosen, by timeframe. Choice k has its state and its values from column `state_at[k]` and `value_at[k]` on,
    counted from the kernel's own last one; series of different timeframes use the same columns."""

    all: tuple[Choice, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.all)

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Of each frame's choices in `all`: frame f has starts[f]..starts[f + 1] - 1. The last frame, extended hours, has none."""
        frames = [FRAME_NUMBERS[choice.timeframe] for choice in self.all]
        return np.searchsorted(np.array(frames, np.int64), np.arange(len(TIMEFRAMES) + 2)).astype(np.int64)

    @cached_property
    def codes(self) -> NDArray[np.int64]:
        return np.array([CODES[choice.kind] for choice in self.all], np.int64)

    @cached_property
    def parameters(self) -> NDArray[np.float64]:
        rows = [(*choice.parameters, 0.0, 0.0)[:MOST_PARAMETERS] for choice in self.all]
        return np.array(rows, np.float64).reshape(-1, MOST_PARAMETERS)

    @cached_property
    def state_at(self) -> NDArray[np.int64]:
        return self._columns([choice.n_state for choice in self.all])

    @cached_property
    def value_at(self) -> NDArray[np.int64]:
        return self._columns([len(choice.names) for choice in self.all])

    @cached_property
    def n_state(self) -> int:
        return max((int(at) + choice.n_state for at, choice in zip(self.state_at, self.all, strict=True)), default=0)

    @cached_property
    def n_values(self) -> int:
        return max((int(at) + len(choice.names) for at, choice in zip(self.value_at, self.all, strict=True)), default=0)

    def of(self, timeframe: str) -> Iterator[tuple[int, Choice]]:
        """(number, choice) of a timeframe."""
        return ((k, choice) for k, choice in enumerate(self.all) if choice.timeframe == timeframe)

    def version(self, code_version: str) -> str:
        """Changes with every choice and with the code that computes them; empty where nothing is chosen."""
        lines = "\n".join(map(str, self.all))
        return hashlib.sha256(f"{code_version}\n{lines}".encode()).hexdigest()[:16] if self.all else ""

    def _columns(self, counts: list[int]) -> NDArray[np.int64]:
        columns = np.zeros(len(counts), np.int64)
        for k in range(1, len(counts)):
            if self.all[k].timeframe == self.all[k - 1].timeframe:
                columns[k] = columns[k - 1] + counts[k - 1]
        return columns


def parse(text: str) -> Choices:
    """The choices of a TOML text. Raises `BadChoice`."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadChoice(f"it is not TOML: {error}") from error
    found: set[Choice] = set()
    for timeframe, kinds in tables.items():
        if timeframe not in TIMEFRAMES:
            raise BadChoice(f"[{_quoted(timeframe)}]: not a timeframe; there are {', '.join(TIMEFRAMES)}")
        if not isinstance(kinds, dict):
            raise BadChoice(
                f"{_quoted(timeframe)}: not a table: write [{_quoted(timeframe)}], and its kinds in the lines below"
            )
        for kind, entries in kinds.items():
            for choice in _choices(timeframe, kind, entries):
                if choice in found:
                    raise BadChoice(f'["{timeframe}"] {kind} {choice.params}: stands there twice')
                found.add(choice)
    return Choices(tuple(sorted(found, key=_order)))


def stored(rows: Iterable[tuple[str, str, str]]) -> Choices:
    """The choices of rows (timeframe, kind, params) of the database; a kind that this code does not know is left out."""
    found = [choice_of(*row) for row in rows if row[0] in TIMEFRAMES and row[1] in KINDS]
    return Choices(tuple(sorted(found, key=_order)))


def choice_of(timeframe: str, kind: str, params: str) -> Choice:
    """A choice as the database names it."""
    return Choice(timeframe, kind, tuple(map(float, params.split(","))))


def _order(choice: Choice) -> tuple[int, int, tuple[float, ...]]:
    return FRAME_NUMBERS[choice.timeframe], CODES[choice.kind], choice.parameters


def _choices(timeframe: str, kind: str, entries: Any) -> Iterator[Choice]:
    where = f'["{timeframe}"] {kind}'
    if kind not in KINDS:
        raise BadChoice(f"{where}: not a kind; there are {', '.join(KINDS)}")
    parameters = KINDS[kind].parameters
    if not isinstance(entries, list):
        raise BadChoice(f"{where}: {entries!r} is not a list: write {kind} = [{_example(parameters)}]")
    for entry in entries:
        numbers = entry if isinstance(entry, list) else [entry]
        numbers = numbers + [each.default for each in parameters[len(numbers) :] if each.default is not None]
        if len(numbers) != len(parameters):
            raise BadChoice(f"{where} {entry!r}: it takes {_example(parameters)}")
        checked = tuple(_number(f"{where} {entry!r}", *pair) for pair in zip(parameters, numbers, strict=True))
        if kind == "macd" and checked[0] >= checked[1]:
            raise BadChoice(f"{where} {entry!r}: fast bars must be fewer than slow bars")
        yield Choice(timeframe, kind, checked)


def _number(where: str, parameter: Parameter, number: Any) -> float:
    is_number = isinstance(number, int if parameter.is_whole else int | float) and not isinstance(number, bool)
    if not is_number or not parameter.least <= number <= parameter.most:
        what = "a whole number" if parameter.is_whole else "a number"
        raise BadChoice(f"{where}: {parameter.name} must be {what} from {parameter.least:g} to {parameter.most:g}")
    return float(f"{number:g}")  # as `params` says it


def _example(parameters: tuple[Parameter, ...]) -> str:
    names = ", ".join(parameter.name for parameter in parameters)
    return names if len(parameters) == 1 else f"[{names}]"


def _quoted(name: str) -> str:
    return f'"{name}"'
