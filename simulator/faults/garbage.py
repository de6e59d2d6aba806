"""Frames that are not what the protocol says, before or in the place of those that are."""

import base64
from typing import Literal

import numpy as np
from pydantic import Field

from simulator.faults.base import Scheduled
from simulator.faults.tape import FrameDue, FrameFault
from simulator.noise import bits, key_of
from simulator.wire import PricingData

Form = Literal["text", "list", "base64", "protobuf", "unnamed", "binary", "cut"]
FORMS: tuple[Form, ...] = ("text", "list", "base64", "protobuf", "unnamed", "binary", "cut")


class FeedGarbage(FrameFault):
    """Text that is not JSON, JSON that is no object, bad base64, bytes that are no protobuf, a message without a symbol, a
    binary frame, a frame cut in the middle."""

    kind: Literal["feed_garbage"] = "feed_garbage"
    share: float = Field(0.2, gt=0.0, le=1.0)
    forms: tuple[Form, ...] = Field(FORMS, min_length=1)
    replaces: bool = False

    def disturb(self, frames: list[FrameDue], scheduled: Scheduled[FrameFault], symbol: str) -> list[FrameDue]:
        told: list[FrameDue] = []
        for due_ms, frame in frames:
            is_hit = scheduled.covers(due_ms) and scheduled.hits(symbol, due_ms)
            if is_hit:
                form = self.forms[int(scheduled.noise("form", due_ms) * len(self.forms))]
                told.append((due_ms, garbage(form, frame, noise_bytes(scheduled.name, due_ms))))
            if not (is_hit and self.replaces):
                told.append((due_ms, frame))
        return told


def noise_bytes(name: str, address: int) -> bytes:
    return bits(key_of("garbage", name), address * 5 + np.arange(5, dtype=np.int64)).tobytes()


def garbage(form: Form, frame: str | bytes, noise: bytes) -> str | bytes:
    if form == "binary":
        return noise
    if form == "cut":
        return frame[: len(frame) // 2]
    unnamed = PricingData(price=1.0, time=1).SerializeToString()
    return {
        "text": "simulated garbage " + noise.hex(),
        "list": "[1, 2, null]",
        "base64": '{"type":"pricing","message":"***not base64***"}',
        # A length that runs past the end: no decoder may take it.
        "protobuf": '{"type":"pricing","message":"' + base64.b64encode(b"\x0a\xff" + noise).decode() + '"}',
        "unnamed": '{"type":"pricing","message":"' + base64.b64encode(unnamed).decode() + '"}',
    }[form]
