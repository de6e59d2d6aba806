"""Blocking calls off the event loop, in threads that do not keep the process alive at its end."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(call: Callable[[], T]) -> T:
    """The result of a blocking call. Unlike an executor's, its thread is not waited for when the service stops."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(set_outcome: Callable[[], None]) -> None:
        if not future.done():
            set_outcome()

    def run() -> None:
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001  (the awaiting task gets it)
            outcome = error
            _post(loop, lambda: settle(lambda: future.set_exception(outcome)))
        else:
            _post(loop, lambda: settle(lambda: future.set_result(result)))

    threading.Thread(target=run, daemon=True).start()
    return await future


def _post(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    """Hands over to the loop; one that has ended in the meantime wants no result."""
    try:
        loop.call_soon_threadsafe(callback)
    except RuntimeError:
        return
