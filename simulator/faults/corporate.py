"""Splits and dividends that a scenario announces. As at Yahoo, all history is restated from the ex-date on."""

from typing import Literal

from aiohttp import web
from pydantic import Field

from simulator.dividends import Dividend
from simulator.faults.base import FOREVER_MS, Fault
from simulator.faults.bodies import Json, quote_of, rewritten
from simulator.faults.requests import Call, HttpFault
from simulator.faults.when import Length
from simulator.market import Instrument
from simulator.splits import Split


class CorporateAction(Fault):
    """Takes effect with the first session that opens at its moment or later."""

    def ex_day(self, from_ms: int, instrument: Instrument) -> int:
        """The ex-date, in days since the epoch."""
        return instrument.day(instrument.row_at(from_ms - 1) + 1)


class SplitFault(CorporateAction, HttpFault):
    """`numerator` new shares for `denominator` old ones. Prices are printed in new shares from the ex-date on, and what was
    printed before is restated, which takes the provider `lag` from the open. Until then, of what is `lagging`, old rows are as
    they were (`history`), or the split is not among the events (`event`), or `both`."""

    kind: Literal["split"] = "split"
    numerator: int = Field(2, ge=1)
    denominator: int = Field(1, ge=1)
    lag: Length = 0
    lagging: Literal["both", "history", "event"] = "both"

    def reach_ms(self, from_ms: int, to_ms: int) -> tuple[int, int]:
        return from_ms, FOREVER_MS if self.lag else from_ms

    def split(self, from_ms: int, instrument: Instrument) -> Split:
        return Split(self.ex_day(from_ms, instrument), self.numerator, self.denominator, is_announced=True)

    async def answer(self, call: Call) -> web.StreamResponse:
        return await rewritten(call, lambda result: self._behind(result, call))

    def _behind(self, result: Json, call: Call) -> None:
        instrument = call.market.instrument(result["meta"]["symbol"], call.now_ms)
        open_ms = instrument.open_ms(instrument.row_at(call.scheduled.from_ms - 1) + 1)
        if not open_ms <= call.now_ms < open_ms + self.lag:
            return
        if self.lagging != "event":
            not_restated(result, open_ms // 1000, self.numerator / self.denominator)
        if self.lagging != "history":
            not_told(result, open_ms // 1000)


def not_restated(result: Json, open_s: int, ratio: float) -> None:
    quote = quote_of(result)
    whole = min(map(len, quote.values()), default=0)
    for place, stamp in enumerate((result.get("timestamp") or [])[:whole]):
        if stamp < open_s and quote["close"][place] is not None:
            for name in ("open", "high", "low", "close"):
                quote[name][place] *= ratio
            quote["volume"][place] = round(quote["volume"][place] / ratio)


def not_told(result: Json, open_s: int) -> None:
    events = result.get("events", {})
    told = {key: split for key, split in events.get("splits", {}).items() if int(key) != open_s}
    result["events"] = {name: each for name, each in (events | {"splits": told}).items() if each}


class DividendFault(CorporateAction):
    """`amount` a share, in the instrument's currency."""

    kind: Literal["dividend"] = "dividend"
    amount: float = Field(gt=0.0)

    def dividend(self, from_ms: int, instrument: Instrument) -> Dividend:
        return Dividend(self.ex_day(from_ms, instrument), self.amount)
