"""The generated JSON Schemas: committed as generated, valid, true to the contract, and only ever added to."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from market.contracts import KINDS, Record, decode
from market.errors import Reason
from market.schemas import BASELINE, FOLDER, broken, extended, promises, schemas, text_of
from tests.unit.contracts.test_records import ACCEPTED, GOOD, REFUSED, reason_of, records

pytestmark = pytest.mark.unit

REMEDY = "run python -m market.schemas"
VALIDATORS = {
    name: Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    for name, schema in schemas().items()
}


def of_kind(kind: str) -> list[Draft202012Validator]:
    return [validator for name, validator in VALIDATORS.items() if name.split(".")[2] == kind]


def test_the_committed_files_are_what_the_generator_gives() -> None:
    committed = {path.name: path.read_text() for path in FOLDER.glob("market.*.json")}
    assert committed == {name: text_of(schema) for name, schema in schemas().items()}, REMEDY


def test_every_kind_of_record_has_a_schema() -> None:
    assert {name.split(".")[2] for name in schemas()} == set(KINDS)
    for schema in schemas().values():
        Draft202012Validator.check_schema(schema)


def test_nothing_that_was_promised_is_broken() -> None:
    baseline = json.loads((FOLDER / BASELINE).read_text())
    now = promises(schemas())
    assert broken(baseline, now) == []
    assert extended(baseline, now) == baseline, f"a new field is not in the baseline yet: {REMEDY}"


def test_the_baseline_grows_and_never_shrinks() -> None:
    before = {"a.json": {"x": {"type": "string", "required": True}}, "gone.json": {}}
    now = {
        "a.json": {"x": {"type": "integer", "required": True}, "y": {"type": "string", "required": False}},
        "b.json": {},
    }
    assert extended(before, now) == {
        "a.json": {"x": {"type": "string", "required": True}, "y": {"type": "string", "required": False}},
        "b.json": {},
        "gone.json": {},
    }


TICK = "market.events.tick.v1.json"
BREAKS: list[tuple[str, list[str], Any]] = [
    ("a field is removed", ["properties", "price"], None),
    ("a field is retyped", ["properties", "price", "type"], "string"),
    ("a field can no longer be null", ["properties", "day_volume", "type"], "integer"),
    ("a field is newly required", ["required"], [*schemas()[TICK]["required"], "day_volume"]),
    ("a field is no longer required", ["required"], [name for name in schemas()[TICK]["required"] if name != "price"]),
    ("a choice is gone", ["properties", "session", "enum"], ["regular", None]),
    ("the version changes in place", ["properties", "v", "const"], 2),
]  # fmt: skip


@pytest.mark.parametrize(("what", "path", "value"), BREAKS, ids=[case[0] for case in BREAKS])
def test_a_broken_promise_is_found(what: str, path: list[str], value: Any) -> None:
    changed = copy.deepcopy(schemas())
    place: Any = changed[TICK]
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    [sentence] = broken(promises(schemas()), promises(changed))
    assert sentence.startswith(TICK)


def test_a_new_required_field_a_lost_record_and_a_new_optional_field() -> None:
    changed = copy.deepcopy(schemas())
    changed[TICK]["properties"]["venue"] = {"type": "string"}
    assert broken(promises(schemas()), promises(changed)) == []
    changed[TICK]["required"].append("venue")
    assert broken(promises(schemas()), promises(changed)) == [f"{TICK}: venue is new and required"]
    del changed[TICK]
    assert broken(promises(schemas()), promises(changed)) == [f"{TICK} is gone"]


@given(records)
def test_whatever_the_contract_writes_is_valid(record: Record) -> None:
    for validator in of_kind(record.kind):
        validator.validate(json.loads(record.encode()))


@pytest.mark.parametrize(("what", "payload", "name", "value"), ACCEPTED, ids=[case[0] for case in ACCEPTED])
def test_whatever_the_contract_accepts_is_valid(what: str, payload: bytes, name: str, value: object) -> None:
    for validator in of_kind(decode(payload).kind):
        validator.validate(json.loads(payload))


# What a single field is wrong by. JSON Schema takes 1.0 for an integer, and knows no NaN.
BY_FIELD = {Reason.WRONG_VERSION, Reason.MISSING_FIELD, Reason.UNKNOWN_TIMEFRAME, Reason.BAD_PRICE, Reason.BAD_VOLUME}
FIELD_CASES = [
    (reason, payload)
    for reason, payload in REFUSED
    if reason in BY_FIELD and b'"v": 1.0' not in payload and b"NaN" not in payload
]


@pytest.mark.parametrize(("reason", "payload"), FIELD_CASES, ids=lambda value: str(value)[:80])
def test_what_the_contract_refuses_for_one_field_is_invalid(reason: Reason, payload: bytes) -> None:
    body = json.loads(payload)
    for validator in of_kind(str(body.get("kind", "tick"))):
        assert not validator.is_valid(body)


changes = st.dictionaries(
    st.sampled_from(
        ["price", "event_ms", "symbol", "session", "day_volume", "timeframe", "is_complete", "low", "value", "since_ms"]
    ),
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=3)),
    max_size=2,
)


@given(st.sampled_from(sorted(GOOD)), changes)
def test_no_record_that_is_invalid_is_accepted(kind: str, changed: dict[str, Any]) -> None:
    body = GOOD[kind] | changed
    if reason_of(json.dumps(body).encode()) is None:
        for validator in of_kind(kind):
            assert validator.is_valid(body)
