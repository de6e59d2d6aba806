"""A partition's records as Arrow arrays, by librdkafka's simple consumer, without a Python object a record.

confluent-kafka makes an object of every record (two to three microseconds of it and of the collector that looks through them); the
library beneath it hands out pointers, from which compiled code copies offsets and values (0.3). It is the library that
confluent-kafka brings: its C interface is stable within a major version. There is no group and nothing is stored with the
broker: who reads says where.
"""

import ctypes
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from confluent_kafka import KafkaError, KafkaException, cimpl
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

CONSUMER = 1  # rd_kafka_type_t
CONF_OK = 0
MOST = 20_000  # records of one call
REASON_BYTES = 512
NO_OFFSET = -1

_library = ctypes.CDLL(cimpl.__file__)
_POINTER = ctypes.c_void_p
_ERROR_CALLBACK = ctypes.CFUNCTYPE(None, _POINTER, ctypes.c_int, ctypes.c_char_p, _POINTER)


def _function(name: str, result: Any, *arguments: Any) -> Any:
    function = getattr(_library, "rd_kafka_" + name)
    function.restype, function.argtypes = result, arguments
    return function


_conf_new = _function("conf_new", _POINTER)
_conf_set = _function(
    "conf_set", ctypes.c_int, _POINTER, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t
)
_conf_set_error_cb = _function("conf_set_error_cb", None, _POINTER, _ERROR_CALLBACK)
_new = _function("new", _POINTER, ctypes.c_int, _POINTER, ctypes.c_char_p, ctypes.c_size_t)
_destroy = _function("destroy", None, _POINTER)
_poll = _function("poll", ctypes.c_int, _POINTER, ctypes.c_int)
_topic_new = _function("topic_new", _POINTER, _POINTER, ctypes.c_char_p, _POINTER)
_topic_destroy = _function("topic_destroy", None, _POINTER)
_consume_start = _function("consume_start", ctypes.c_int, _POINTER, ctypes.c_int32, ctypes.c_int64)
_consume_stop = _function("consume_stop", ctypes.c_int, _POINTER, ctypes.c_int32)
_consume_batch = _function(
    "consume_batch", ctypes.c_ssize_t, _POINTER, ctypes.c_int32, ctypes.c_int, _POINTER, ctypes.c_size_t
)
_last_error = _function("last_error", ctypes.c_int)
_query_watermark_offsets = _function(
    "query_watermark_offsets",
    ctypes.c_int,
    _POINTER,
    ctypes.c_char_p,
    ctypes.c_int32,
    ctypes.POINTER(ctypes.c_int64),
    ctypes.POINTER(ctypes.c_int64),
    ctypes.c_int,
)
_message_destroy = ctypes.cast(_library.rd_kafka_message_destroy, _POINTER).value


@dataclass(frozen=True, slots=True)
class Read:
    """What one call gave: records in order, the offset of the log's end if that was met, and an error's code (0: none)."""

    offsets: NDArray[np.int64]
    values: pa.Array
    end: int
    error: int


class Client:
    """A connection to the broker, which reads ahead in every partition that was started.

    `settings` are librdkafka's. Every method raises `KafkaException`, also when the client was closed meanwhile: that is safe while
    another thread reads.
    """

    def __init__(self, settings: Mapping[str, str]) -> None:
        reason = ctypes.create_string_buffer(REASON_BYTES)
        conf = _conf_new()
        for name, value in settings.items():
            if _conf_set(conf, name.encode(), value.encode(), reason, REASON_BYTES) != CONF_OK:
                raise KafkaException(KafkaError(KafkaError._INVALID_ARG, reason.value.decode()))
        self.said = ""  # what the broker's connection last had to say: why nothing comes
        self._callback = _ERROR_CALLBACK(self._note)
        _conf_set_error_cb(conf, self._callback)
        self._client = _new(CONSUMER, conf, reason, REASON_BYTES)
        if not self._client:
            raise KafkaException(KafkaError(KafkaError._FAIL, reason.value.decode()))
        self._topics: dict[str, int] = {}
        self._started: set[tuple[str, int]] = set()
        self._messages = np.empty(MOST, np.uint64)
        self._in_use = threading.RLock()

    def start(self, topic: str, partition: int, offset: int) -> None:
        """Reads ahead in a partition from `offset` on, and from where it was started before no more."""
        with self._open():
            self.stop(topic, partition)
            if topic not in self._topics:
                self._topics[topic] = _topic_new(self._client, topic.encode(), None)
            if _consume_start(self._topics[topic], partition, offset) != 0:
                raise KafkaException(KafkaError(_last_error()))
            self._started.add((topic, partition))

    def stop(self, topic: str, partition: int) -> None:
        """Reads ahead there no more, and forgets what was."""
        with self._open():
            if (topic, partition) in self._started:
                self._started.remove((topic, partition))
                _consume_stop(self._topics[topic], partition)

    def read(self, topic: str, partition: int, most: int, wait_s: float) -> Read:
        """Up to `most` records of a partition that was started; waits until there are so many or `wait_s` has passed."""
        with self._open():
            _poll(self._client, 0)
            into = self._messages.ctypes.data
            count = _consume_batch(self._topics[topic], partition, int(wait_s * 1000), into, min(most, MOST))
            if count < 0:
                raise KafkaException(KafkaError(_last_error()))
            offsets, ends = np.empty(count, np.int64), np.empty(count + 1, np.int32)
            records, end, error = _measure(self._messages, count, offsets, ends)
            data = np.empty(ends[records], np.uint8)
            _take(self._messages, count, ends, data, _message_destroy)
        buffers = [None, pa.py_buffer(ends), pa.py_buffer(data)]
        return Read(offsets[:records], pa.Array.from_buffers(pa.binary(), records, buffers), end, error)

    def bounds(self, topic: str, partition: int, wait_s: float) -> tuple[int, int]:
        """First offset of a partition's log and the one behind its last, as the broker says."""
        first, end = ctypes.c_int64(), ctypes.c_int64()
        into = (ctypes.byref(first), ctypes.byref(end))
        with self._open():
            error = _query_watermark_offsets(self._client, topic.encode(), partition, *into, int(wait_s * 1000))
        if error:
            raise KafkaException(KafkaError(error))
        return first.value, end.value

    def close(self) -> None:
        """Ends the connection. A second time nothing happens."""
        with self._in_use:
            if self._client:
                for topic, partition in list(self._started):
                    self.stop(topic, partition)
                for handle in self._topics.values():
                    _topic_destroy(handle)
                _destroy(self._client)
                self._client = None

    @contextmanager
    def _open(self) -> Iterator[None]:
        """Around every call of the library: what was destroyed must not be handed to it."""
        with self._in_use:
            if self._client is None:
                raise KafkaException(KafkaError(KafkaError._DESTROY, "the client was closed"))
            yield

    def _note(self, _client: int, error: int, reason: bytes, _opaque: int) -> None:
        # That all are down is said after why each one is.
        if error != KafkaError._ALL_BROKERS_DOWN:
            self.said = reason.decode(errors="replace")


# rd_kafka_message_t in words of eight bytes: err, topic, partition, payload, its length, key, its length, offset, private.
ERROR, PAYLOAD, LENGTH, OFFSET = 0, 3, 4, 7
PARTITION_EOF = KafkaError._PARTITION_EOF


@intrinsic
def _words(typing, address):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(types.int64)(types.uint64), generate  # type: ignore[no-untyped-call]


@intrinsic
def _copy(typing, into, source, length):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        pointer = ir.IntType(8).as_pointer()
        to, of = (builder.inttoptr(argument, pointer) for argument in arguments[:2])
        kinds = [pointer, pointer, ir.IntType(64)]
        memcpy = builder.module.declare_intrinsic("llvm.memcpy", kinds)
        builder.call(memcpy, [to, of, arguments[2], ir.Constant(ir.IntType(1), 0)])
        return context.get_dummy_value()

    return types.void(types.uint64, types.uint64, types.int64), generate


@intrinsic
def _call(typing, function, argument):  # type: ignore[no-untyped-def]
    """A C function of one pointer, by its address: compiled code that names it could not be kept on disk."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)]).as_pointer()
        builder.call(builder.inttoptr(arguments[0], kind), [arguments[1]])
        return context.get_dummy_value()

    return types.void(types.uint64, types.uint64), generate


@njit(cache=True, nogil=True)
def _word(message, number):  # type: ignore[no-untyped-def]
    return _words(message)[number]  # type: ignore[call-arg]  # numba adds the typing context


@njit(cache=True, nogil=True)
def _error(message):  # type: ignore[no-untyped-def]
    return np.int32(_word(message, ERROR) & 0xFFFFFFFF)


@njit(cache=True, nogil=True)
def _measure(messages, count, offsets, ends):  # type: ignore[no-untyped-def]
    """Offsets and where each value ends; (records, the log's end where it was met, an error)."""
    records, total, end, error = 0, 0, NO_OFFSET, 0
    ends[0] = 0
    for k in range(count):
        message = messages[k]
        code = _error(message)
        if code == 0:
            offsets[records] = _word(message, OFFSET)
            total += _word(message, LENGTH)
            records += 1
            ends[records] = total
        elif code == PARTITION_EOF:
            end = _word(message, OFFSET)
        else:
            error = code
    return records, end, error


@njit(cache=True, nogil=True)
def _take(messages, count, ends, data, destroy):  # type: ignore[no-untyped-def]
    """Copies the values and gives the messages back."""
    record = 0
    for k in range(count):
        message = messages[k]
        if _error(message) == 0:
            length = _word(message, LENGTH)
            if length:
                _copy(np.uint64(data.ctypes.data + ends[record]), np.uint64(_word(message, PAYLOAD)), length)  # type: ignore[call-arg]  # numba adds the typing context
            record += 1
        _call(np.uint64(destroy), message)  # type: ignore[call-arg]  # numba adds the typing context


def load() -> None:
    """Has the compiled code there before the first record comes: it is found on disk, or compiled."""
    nothing = np.empty(0, np.uint64)
    ends = np.zeros(1, np.int32)
    _measure(nothing, 0, np.empty(0, np.int64), ends)
    _take(nothing, 0, ends, np.empty(0, np.uint8), _message_destroy)
