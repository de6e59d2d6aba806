"""Where faults take hold of trading: an instrument whose scenario halts, splits, pays or auctions.

It stands on an ordinary instrument and differs from it only where the scenario says so. So a price is a pure function of seed,
symbol, time and scenario, and what was published before a fault began is the same with it and without it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from simulator.daily import DayBar, Days, day_bar
from simulator.dividends import Dividend
from simulator.faults.auctions import AuctionPrint
from simulator.faults.base import Fault, Scheduled, of_kind
from simulator.faults.corporate import DividendFault, SplitFault
from simulator.faults.halts import Suspension, Window
from simulator.listings import Listing
from simulator.market import Instrument, Market
from simulator.minutes import Minutes
from simulator.noise import Ints
from simulator.parts import Part
from simulator.splits import Split
from simulator.trades import NO_TRADES, Trades

if TYPE_CHECKING:
    from simulator.faults.schedule import Schedule

OF_TRADING = (Suspension, SplitFault, DividendFault, AuctionPrint)


def of_trading(fault: Fault) -> bool:
    """Whether a fault changes what is traded, and not only how it is told."""
    return isinstance(fault, OF_TRADING)


@dataclass(frozen=True, eq=False)
class ScriptedInstrument(Instrument):
    """`plain` is the same instrument without halts and auctions; both have the scenario's splits."""

    plain: Instrument = field(repr=False)
    suspended: tuple[Window, ...] = ()
    paid: tuple[Dividend, ...] = ()
    auctions: tuple[Scheduled[AuctionPrint], ...] = ()

    @cached_property
    def days(self) -> Days:
        columns = {name: getattr(self.plain.days, name).copy() for name in ("open", "high", "low", "close", "volume")}

        def write(row: int, bar: DayBar) -> None:
            for name, values in columns.items():
                values[row] = getattr(bar, name)

        for row in self._suspended_rows:
            write(row, self._idle_bar(int(columns["close"][row - 1])) if self._is_idle(row) else self._bar_of(row))
        for scheduled in self.auctions:
            for row in scheduled.fault.rows(scheduled, self):
                bar = day_bar(replace(self.plain.days, **columns), row)
                price, volume = scheduled.fault.printed(scheduled, self, row, bar)
                high, low = max(bar.high, price), min(bar.low, price)
                write(row, replace(bar, high=high, low=low, close=price, volume=bar.volume + volume))
        return replace(self.plain.days, **columns)

    @cached_property
    def dividends(self) -> tuple[Dividend, ...]:
        return tuple(sorted((*self.plain.dividends, *self.paid), key=lambda dividend: dividend.day))

    def bar(self, row: int) -> DayBar:
        return day_bar(self.days, row)

    def minutes(self, row: int, part: Part = Part.REGULAR) -> Minutes:
        bars = self._without_suspended(self.plain.minutes(row, part), self.minute_starts(row, part))
        if part is Part.REGULAR and self._is_idle(row):
            price = np.full_like(bars.open, self.days.close[row])
            return replace(bars, open=price, high=price, low=price, close=price)
        return bars

    def minute_block(self, rows: Ints, part: Part = Part.REGULAR) -> Minutes:
        each = [self.minutes(int(row), part) for row in rows]
        return Minutes(*(np.stack([getattr(bars, column.name) for bars in each]) for column in fields(Minutes)))

    def trades(self, row: int, minute: int, part: Part = Part.REGULAR) -> Trades:
        start_ms = int(self.minute_starts(row, part)[minute])
        if any(begins <= start_ms < ends for begins, ends in self.suspended):
            return NO_TRADES
        return self.plain.trades(row, minute, part)

    @cached_property
    def _suspended_rows(self) -> list[int]:
        """The sessions that a suspension touches, as far as the calendar goes."""
        last = len(self.calendar.days) - self.first_session - 1
        return sorted(
            {
                row
                for begins, ends in self.suspended
                for row in range(max(self.row_at(begins), 1), min(self.row_at(ends - 1), last) + 1)
            }
        )

    def _is_idle(self, row: int) -> bool:
        """Whether nothing at all is traded in a regular session."""
        return any(begins <= self.open_ms(row) and self.close_ms(row) <= ends for begins, ends in self.suspended)

    def _without_suspended(self, bars: Minutes, starts: Ints) -> Minutes:
        """The bars with suspended minutes as minutes without a trade: they repeat the last price, at first the first one."""
        silent = np.zeros(len(starts), dtype=bool)
        for begins, ends in self.suspended:
            silent |= (starts >= begins) & (starts < ends)
        if not silent.any():
            return bars
        traded = np.flatnonzero(~silent)
        first = int(bars.open[traded[0]]) if len(traded) else int(bars.open[0])
        last_traded = np.maximum.accumulate(np.where(silent, -1, np.arange(len(starts))))
        price = np.where(last_traded < 0, first, bars.close[last_traded])
        open_, high, low, close = (
            np.where(silent, price, getattr(bars, name)) for name in ("open", "high", "low", "close")
        )
        volume, trades = (np.where(silent, 0, counts) for counts in (bars.volume, bars.trades))
        return Minutes(open_, high, low, close, volume, trades)

    def _bar_of(self, row: int) -> DayBar:
        """The session's bar, of the minutes that are left."""
        bars = self.minutes(row)
        ends = (int(bars.open[0]), int(bars.high.max()), int(bars.low.min()), int(bars.close[-1]))
        return DayBar(*ends, int(bars.volume.sum()), self.plain.bar(row).previous_close)

    def _idle_bar(self, price: int) -> DayBar:
        return DayBar(price, price, price, price, 0, float(price))


class ScriptedMarket(Market):
    """A market in which the instruments that a schedule concerns are scripted ones, and all others ordinary."""

    def __init__(
        self,
        seed: int,
        listings: Mapping[str, Listing],
        splits: dict[str, tuple[Split, ...]],
        hours: str,
        schedule: "Schedule",
    ) -> None:
        super().__init__(seed, listings, splits, hours)
        self.schedule = schedule
        self._scripted: dict[str, tuple[Instrument, tuple[Scheduled[Fault], ...], Instrument]] = {}

    def instrument(self, symbol: str, now_ms: int) -> Instrument:
        """As the market's; the same one as long as the schedule says the same about it."""
        plain = super().instrument(symbol, now_ms)
        script = tuple(
            scheduled
            for scheduled in self.schedule.of(Fault)
            if of_trading(scheduled.fault) and scheduled.concerns(symbol)
        )
        if not script:
            return plain
        known = self._scripted.get(symbol)
        if known is not None and known[0] is plain and known[1] == script:
            return known[2]
        scripted = scripted_instrument(plain, script)
        self._scripted[symbol] = (plain, script, scripted)
        return scripted


def scripted_instrument(plain: Instrument, script: tuple[Scheduled[Fault], ...]) -> Instrument:
    """The instrument as the script has it."""
    splits = [each.fault.split(each.from_ms, plain) for each in of_kind(script, SplitFault)]
    base = replace(plain, splits=(*plain.splits, *splits)) if splits else plain
    named = {column.name: getattr(base, column.name) for column in fields(Instrument)}
    return ScriptedInstrument(
        **named,
        plain=base,
        suspended=joined_windows(
            [window for each in of_kind(script, Suspension) for window in each.fault.windows(each, base)]
        ),
        paid=tuple(each.fault.dividend(each.from_ms, base) for each in of_kind(script, DividendFault)),
        auctions=tuple(of_kind(script, AuctionPrint)),
    )


def joined_windows(windows: list[Window]) -> tuple[Window, ...]:
    """The windows in order, those that touch made one; without empty ones."""
    joined: list[Window] = []
    for begins, ends in sorted(window for window in windows if window[0] < window[1]):
        if joined and begins <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(ends, joined[-1][1]))
        else:
            joined.append((begins, ends))
    return tuple(joined)
