"""What a person changes in a dead letter's payload. Pure."""

import json
from collections.abc import Sequence

from ingestion.errors import BadConfiguration, NotReplayed

# When a record was received is a fact about the past, not an opinion.
KEPT = "fetched_ms"


def with_changes(payload: bytes, changes: Sequence[str]) -> bytes:
    """The payload with fields set: `close=101.5`, `volume=null`; a value that is no JSON is text.

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
        body[name] = value_of(text)
    return json.dumps(body, separators=(",", ":")).encode()


def value_of(text: str) -> object:
    try:
        value: object = json.loads(text)
    except ValueError:
        return text
    return value


def with_first_receipt(original: bytes, edited: bytes) -> bytes:
    """`edited`, with the time of receipt of the original where that has one."""
    try:
        before, after = json.loads(original), json.loads(edited)
    except ValueError:
        return edited
    if not (isinstance(before, dict) and isinstance(after, dict) and type(before.get(KEPT)) is int):
        return edited
    if after.get(KEPT) == before[KEPT]:
        return edited
    return json.dumps({**after, KEPT: before[KEPT]}, separators=(",", ":")).encode()


def readable(payload: bytes) -> str:
    """For a person's eyes: JSON indented, other text as it is, bytes that are no text escaped."""
    try:
        return json.dumps(json.loads(payload), indent=2)
    except ValueError:
        return payload.decode(errors="backslashreplace")
