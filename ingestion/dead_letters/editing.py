"""What a person changes in a dead letter's payload. Pure."""

import json
from collections.abc import Collection, Sequence

from ingestion.errors import BadConfiguration, NotReplayed
from market.contracts import receipt_in

# When a record was received is a fact about the past, not an opinion.
KEPT = "fetched_ms"


def with_changes(payload: bytes, changes: Sequence[str], names: Collection[str] | None = None) -> bytes:
    """The payload with fields set: `close=101.5`, `volume=null`; a value that is no JSON is text. `names`: what can be set.

    Raises `NotReplayed` where the payload is no JSON object, `BadConfiguration` for a change that is none.
    """
    try:
        body = json.loads(payload)
    except ValueError as error:
        raise NotReplayed(f"the payload is not JSON ({error}): give the whole of it with --file") from error
    if not isinstance(body, dict):
        raise NotReplayed("the payload is no JSON object: give the whole of it with --file")
    for change in changes:
        name, separator, text = change.partition("=")
        if not separator or not name:
            raise BadConfiguration(f"{change!r} does not say FIELD=VALUE, as in close=101.5")
        if names is not None and name not in names:
            raise BadConfiguration(f"{name} is nothing that can be set here: {', '.join(names)}")
        body[name] = value_of(text)
    return json.dumps(body, separators=(",", ":")).encode()


def value_of(text: str) -> object:
    try:
        value: object = json.loads(text)
    except ValueError:
        return text
    return value


def with_first_receipt(original: bytes, edited: bytes, received_ms: int | None = None) -> bytes:
    """`edited`, with the time of receipt of the original as far as that can be read, be it no JSON; else with its own.

    `received_ms` is for a record that has neither.
    """
    known_ms = receipt_in(original)
    try:
        after = json.loads(edited)
    except ValueError:
        return edited
    if not isinstance(after, dict):
        return edited
    if known_ms is None and type(after.get(KEPT)) is not int:
        known_ms = received_ms
    if known_ms is None or after.get(KEPT) == known_ms:
        return edited
    return json.dumps({**after, KEPT: known_ms}, separators=(",", ":")).encode()


def readable(payload: bytes) -> str:
    """For a person's eyes: JSON indented, other text as it is, bytes that are no text escaped."""
    try:
        return json.dumps(json.loads(payload), indent=2)
    except ValueError:
        return payload.decode(errors="backslashreplace")
