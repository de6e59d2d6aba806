"""All kinds of faults, by the name that a scenario calls them."""

from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from simulator.faults.auctions import AuctionPrint
from simulator.faults.base import Fault
from simulator.faults.bodies import NullBody, ShortArrays, Truncated, WrongTimeZone
from simulator.faults.budget import RequestBudget
from simulator.faults.clocks import ClockSkew
from simulator.faults.corporate import DividendFault, SplitFault
from simulator.faults.delays import Cut, Hang, SlowDrip
from simulator.faults.garbage import FeedGarbage
from simulator.faults.halts import EarlyClose, Halt
from simulator.faults.refusals import BadCrumb, HtmlForJson, ServerError, Throttle
from simulator.faults.rows import CorrectedBars, MissingMinutes
from simulator.faults.silences import FeedSilence
from simulator.faults.sockets import FeedAbort, FeedClose
from simulator.faults.ticks import BadPrices, DuplicateTicks, OutOfOrderTicks, VolumeReset

AnyFault = Annotated[
    Throttle
    | RequestBudget
    | BadCrumb
    | ServerError
    | HtmlForJson
    | Hang
    | SlowDrip
    | Cut
    | Truncated
    | NullBody
    | ShortArrays
    | WrongTimeZone
    | MissingMinutes
    | CorrectedBars
    | ClockSkew
    | DuplicateTicks
    | OutOfOrderTicks
    | VolumeReset
    | BadPrices
    | FeedSilence
    | FeedGarbage
    | FeedClose
    | FeedAbort
    | Halt
    | EarlyClose
    | AuctionPrint
    | SplitFault
    | DividendFault,
    Field(discriminator="kind"),
]
ADAPTER: TypeAdapter[Fault] = TypeAdapter(AnyFault)
OF_EVERY_FAULT = set(Fault.model_fields)


def read_fault(value: Any) -> Fault:
    """A fault from its JSON. Raises `pydantic.ValidationError`."""
    return ADAPTER.validate_python(value)


def described() -> list[dict[str, Any]]:
    """Each kind with the first line of what it does, its own parameters and their defaults."""
    kinds = []
    for schema in ADAPTER.json_schema(mode="serialization")["$defs"].values():
        if "kind" not in schema.get("properties", {}):
            continue
        named = {name: field for name, field in schema["properties"].items() if name not in {*OF_EVERY_FAULT, "for"}}
        kinds.append(
            {
                "kind": schema["properties"]["kind"]["const"],
                "what": " ".join(schema["description"].split()),
                "parameters": {name: field.get("default") for name, field in named.items()},
            }
        )
    return kinds
