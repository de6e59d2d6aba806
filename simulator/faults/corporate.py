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
    printed before is restated, which takes the provider `history_lag` from the open: until then old rows are as they were
    and the split is not among the events."""

    kind: Literal["split"] = "split"
    numerator: int = Field(2, ge=1)
    denominator: int = Field(1, ge=1)
    history_lag: Length = 0

    def reach_ms(self, from_ms: int, to_ms: int) -> tuple[int, int]:
        return from_ms, FOREVER_MS if self.history_lag else from_ms

    def split(self, from_ms: int, instrument: Instrument) -> Split:
        return Split(self.ex_day(from_ms, instrument), self.numerator, self.denominator, is_announced=True)

    async def answer(self, call: Call) -> web.StreamResponse:
        return await rewritten(call, lambda result: self._not_yet_restated(result, call))

    def _not_yet_restated(self, result: Json, call: Call) -> None:
        # The session's open stands in the answer itself: the first regular period that begins at the moment or later.
        open_s = result["meta"]["currentTradingPeriod"]["regular"]["start"]
        begins_s = call.scheduled.from_ms / 1000
        if not begins_s <= open_s <= call.now_ms / 1000 < open_s + self.history_lag / 1000:
            return
        ratio, quote = self.numerator / self.denominator, quote_of(result)
        for place, stamp in enumerate(result.get("timestamp") or []):
            if stamp >= open_s or quote["close"][place] is None:
                continue
            for name in ("open", "high", "low", "close"):
                quote[name][place] *= ratio
            quote["volume"][place] = round(quote["volume"][place] / ratio)
        events = result.get("events", {})
        told = {key: split for key, split in events.get("splits", {}).items() if int(key) != open_s}
        result["events"] = {name: each for name, each in (events | {"splits": told}).items() if each}


class DividendFault(CorporateAction):
    """`amount` a share, in the instrument's currency."""

    kind: Literal["dividend"] = "dividend"
    amount: float = Field(gt=0.0)

    def dividend(self, from_ms: int, instrument: Instrument) -> Dividend:
        return Dividend(self.ex_day(from_ms, instrument), self.amount)
