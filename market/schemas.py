"""JSON Schemas of the wire records, generated from the contracts: `python -m market.schemas` writes them to docs/schemas/.

A schema says what a single field may be; what fields mean together (a low above a high) only `market.contracts.decode` knows. So
everything that `decode` accepts is valid here, and not everything that is valid here is accepted.
"""

import json
from inspect import cleandoc
from pathlib import Path
from typing import Any

from market.contracts import (
    ACTIONS,
    END_MS,
    FIELD_TYPES,
    FIRST_MS,
    MAX_EXACT,
    MAX_PRICE,
    SCHEMA_VERSION,
    SESSIONS,
    Action,
    Bar,
    Clock,
    DeadLetter,
    Record,
    Tick,
)
from market.timeframes import TIMEFRAMES
from market.topics import DEAD_LETTERS, EVENTS, HISTORY, Topic

FOLDER = Path(__file__).parents[1] / "docs" / "schemas"
BASELINE = "baseline.json"

KINDS_OF: dict[Topic, tuple[type[Record], ...]] = {
    EVENTS: (Tick, Bar, Clock, Action),
    HISTORY: (Bar, Action),
    DEAD_LETTERS: (DeadLetter,),
}

JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}
PRICE = {"exclusiveMinimum": 0, "exclusiveMaximum": MAX_PRICE}
VOLUME = {"minimum": 0, "exclusiveMaximum": MAX_EXACT}
TIME_MS = {"minimum": FIRST_MS, "exclusiveMaximum": END_MS}
# What `check_values` asks of a field, by its name, whichever record it is in.
LIMITS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("event_ms", "fetched_ms", "since_ms"), TIME_MS),
    **dict.fromkeys(("price", "open", "high", "low", "close", "day_high", "day_low", "previous_close", "value"), PRICE),
    **dict.fromkeys(("volume", "day_volume"), VOLUME),
    "session": {"enum": list(SESSIONS)},
    "timeframe": {"enum": list(TIMEFRAMES)},
    "action": {"enum": list(ACTIONS)},
    "session_date": {"format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
    "payload": {"contentEncoding": "base64"},
}


def schema_of(topic: Topic, record: type[Record]) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a kind of record on a topic."""
    properties: dict[str, Any] = {"v": {"const": SCHEMA_VERSION}, "kind": {"const": record.kind}}
    required = ["v", "kind"]
    for name, (kind, is_required) in FIELD_TYPES[record].items():
        limits = LIMITS.get(name, {})
        if is_required:
            required.append(name)
            properties[name] = {"type": JSON_TYPES[kind]} | limits
        else:
            choices = {"enum": [*limits["enum"], None]} if "enum" in limits else limits
            properties[name] = {"type": [JSON_TYPES[kind], "null"]} | choices
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:candlestream:{stem(topic, record)}",
        "title": f"{record.__name__} on {topic.name}",
        "description": " ".join(cleandoc(record.__doc__ or "").split()),
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": True,
    }


def stem(topic: Topic, record: type[Record]) -> str:
    """`market.events.v1` and a tick → `market.events.tick.v1`."""
    name, version = topic.name.rsplit(".", 1)
    return f"{name}.{record.kind}.{version}"


def schemas() -> dict[str, dict[str, Any]]:
    """File name → schema, of every kind of record on every topic."""
    return {
        stem(topic, record) + ".json": schema_of(topic, record) for topic, kinds in KINDS_OF.items() for record in kinds
    }


def promises(known: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What a reader or a writer of each record relies on: each field's type or choices, and whether it must be there."""
    return {
        name: {
            field: {key: limits[key] for key in ("type", "const", "enum") if key in limits}
            | {"required": field in schema["required"]}
            for field, limits in schema["properties"].items()
        }
        for name, schema in known.items()
    }


def broken(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """A sentence for each promise of `before` that `now` does not keep: fields may be added, optional ones, and nothing else."""
    sentences = []
    for name, fields in before.items():
        if name not in now:
            sentences.append(f"{name} is gone")
            continue
        for field, promise in fields.items():
            if field not in now[name]:
                sentences.append(f"{name}: {field} is gone")
                continue
            kept = now[name][field]
            for key in ("type", "const", "required"):
                if kept.get(key) != promise.get(key):
                    sentences.append(f"{name}: {field} had {key} {promise.get(key)}, now {kept.get(key)}")
            lost = [choice for choice in promise.get("enum", []) if choice not in kept.get("enum", [choice])]
            if lost:
                sentences.append(f"{name}: {field} can no longer be {', '.join(map(str, lost))}")
        sentences += [
            f"{name}: {field} is new and required"
            for field, promise in now[name].items()
            if field not in fields and promise["required"]
        ]
    return sentences


def extended(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """The baseline with what was added since: a promise once made stays in it."""
    return {name: now.get(name, {}) | before.get(name, {}) for name in sorted(before.keys() | now.keys())}


def text_of(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2) + "\n"


def main() -> None:
    """Writes the schemas, and adds what is new to the baseline."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas().items():
        (FOLDER / name).write_text(text_of(schema))
    baseline = FOLDER / BASELINE
    before = json.loads(baseline.read_text()) if baseline.exists() else {}
    baseline.write_text(text_of(extended(before, promises(schemas()))))


if __name__ == "__main__":
    main()
