"""Yahoo's WebSocket messages: a PricingData protobuf in base64 in JSON.

The fields and their numbers are those that yfinance's `pricing.proto` reads. They are declared here because importing yfinance
for them would bring in its HTTP clients and pandas.
"""

import base64
from dataclasses import dataclass

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

FIELD = descriptor_pb2.FieldDescriptorProto
FIELDS = (
    ("id", 1, FIELD.TYPE_STRING),
    ("price", 2, FIELD.TYPE_FLOAT),
    ("time", 3, FIELD.TYPE_SINT64),
    ("currency", 4, FIELD.TYPE_STRING),
    ("exchange", 5, FIELD.TYPE_STRING),
    ("quote_type", 6, FIELD.TYPE_INT32),
    ("market_hours", 7, FIELD.TYPE_INT32),
    ("change_percent", 8, FIELD.TYPE_FLOAT),
    ("day_volume", 9, FIELD.TYPE_SINT64),
    ("day_high", 10, FIELD.TYPE_FLOAT),
    ("day_low", 11, FIELD.TYPE_FLOAT),
    ("change", 12, FIELD.TYPE_FLOAT),
    ("short_name", 13, FIELD.TYPE_STRING),
    ("open_price", 15, FIELD.TYPE_FLOAT),
    ("previous_close", 16, FIELD.TYPE_FLOAT),
    ("last_size", 22, FIELD.TYPE_SINT64),
    ("price_hint", 27, FIELD.TYPE_SINT64),
)
# Yahoo's numbers of instrument types.
QUOTE_TYPES = {"EQUITY": 8, "INDEX": 9, "CURRENCY": 14, "ETF": 20, "CRYPTOCURRENCY": 41}


def pricing_data_class() -> type[Message]:
    file = descriptor_pb2.FileDescriptorProto(name="candlestream_pricing.proto", syntax="proto3")
    message = file.message_type.add(name="PricingData")
    for name, number, kind in FIELDS:
        message.field.add(name=name, number=number, type=kind, label=FIELD.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    made: type[Message] = message_factory.GetMessageClass(pool.FindMessageTypeByName("PricingData"))
    return made


PricingData = pricing_data_class()


@dataclass(frozen=True, slots=True)
class Tick:
    """An update as it goes over the wire; prices in the instrument's currency, `day_volume` cumulative."""

    symbol: str
    short_name: str
    kind: str
    currency: str
    exchange: str
    precision: int
    market_hours: int
    time_ms: int
    price: float
    day_volume: int
    day_high: float
    day_low: float
    day_open: float
    previous_close: float
    last_size: int


def encode(tick: Tick) -> str:
    """The text frame of a tick."""
    change = tick.price - tick.previous_close
    message = PricingData(
        id=tick.symbol,
        price=tick.price,
        time=tick.time_ms,
        currency=tick.currency,
        exchange=tick.exchange,
        quote_type=QUOTE_TYPES[tick.kind],
        market_hours=tick.market_hours,
        change_percent=100.0 * change / tick.previous_close,
        day_volume=tick.day_volume,
        day_high=tick.day_high,
        day_low=tick.day_low,
        change=change,
        short_name=tick.short_name,
        open_price=tick.day_open,
        previous_close=tick.previous_close,
        last_size=tick.last_size,
        price_hint=tick.precision,
    )
    return '{"type":"pricing","message":"' + base64.b64encode(message.SerializeToString()).decode() + '"}'
