"""A start's reading, done by two connections: what a connection reads costs the database a process, and so one core at most."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

import numpy as np
from psycopg2.extensions import connection as Connection

from market.batches import Instrument
from market.choices import Choices
from market.memory import Newest
from market.series import SeriesKey
from spark_jobs.database.reader import Reader, chunks

# From so many reads on a second connection is worth its making; so many are done before they are asked for.
READS_FOR_TWO = 4
READ_AHEAD = 3


class TwoReaders(Reader):
    """A `Reader` whose newest rows of many series come through a second connection, too, which sees what is committed."""

    def __init__(
        self,
        connection: Connection,
        instruments: dict[str, Instrument],
        chosen: Choices,
        connect: Callable[[], Connection],
    ) -> None:
        super().__init__(connection, instruments, chosen)
        self.connect = connect

    def newest(self, keys: list[SeriesKey], count: int, whole: list[int]) -> Iterator[Newest]:
        reads = list(chunks(len(keys)))
        if len(reads) < READS_FOR_TWO:
            yield from super().newest(keys, count, whole)
            return
        with closing(self.connect()) as second, ThreadPoolExecutor(2, thread_name_prefix="reader") as threads:
            idle: list[Reader] = [self, Reader(second, self.instruments, self.chosen)]

            def read(at: slice) -> Newest:
                reader = idle.pop()
                try:
                    return reader.newest_of(keys[at], count, np.array(whole[at]))
                finally:
                    idle.append(reader)

            waiting: deque[Future[Newest]] = deque()
            for at in reads:
                waiting.append(threads.submit(read, at))
                if len(waiting) > READ_AHEAD:
                    yield waiting.popleft().result()
            for future in waiting:
                yield future.result()
