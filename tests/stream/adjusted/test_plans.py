"""A question about adjusted prices walks the key, and the documented ones are answered."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from psycopg2.extensions import connection as Connection

from tests.stream.adjusted.telling import Rows, flat, tell
from tests.stream.dashboard.rows import BAR
from tests.stream.test_contracts import DOCUMENT

pytestmark = pytest.mark.stream


QUESTIONS = {
    "the newest": "SELECT ts, split_close FROM {source} ORDER BY ts DESC LIMIT 5",
    "a range": "SELECT ts, split_close FROM {source} WHERE ts >= '2026-03-05' AND ts < '2026-03-07' ORDER BY ts",
    "a total return": "SELECT ts, total_return_close FROM {source} ORDER BY ts DESC LIMIT 5",
}
SOURCES = {
    "now": "v1.bars_adjusted('AAPL', '1m')",
    "seen": "v1.bars_adjusted_as_of('AAPL', '1m', now(), 'seen')",
    "event": "v1.bars_adjusted_as_of('AAPL', '1m', now(), 'event')",
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_walks_the_key_and_reads_the_actions_once(
    write: Connection, read: Callable[..., Rows], source: str, question: str
) -> None:
    start = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
    with write, write.cursor() as cursor:
        names = {**BAR, "timeframe": "1m"}
        columns, values = ", ".join(names), ", ".join(f"%({name})s" for name in names)
        cursor.execute(
            f"""INSERT INTO core.bars ({columns}, ts, bar_end, session_date, event_time, received_at)
                SELECT {values}, m, m + interval '1 minute', m::date, m, m
                FROM generate_series(%(start)s, %(start)s + interval '7 days', interval '1 minute') m""",  # noqa: S608
            names | {"start": start},
        )
        cursor.execute("ANALYZE core.bars")
    flat(write, "AAPL", "2026-03-02", 100.0)
    tell(
        write,
        *(("AAPL", f"2026-03-{day:02}", "dividend", 0.1) for day in range(3, 20)),
        *(("AAPL", f"2026-03-{day:02}", "split", 2.0) for day in (4, 6)),
    )
    question_text = QUESTIONS[question]
    query = question_text.format(source=SOURCES[source])
    assert read(query), "the question has an answer"
    plan = [line for (line,) in read(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, BUFFERS OFF) {query}")]
    text = "\n".join(plan)
    assert "Seq Scan on bars" not in text
    assert "Function Scan" not in text
    if "LIMIT" in question_text:
        assert re.search(r"Index Scan Backward using bars_\w+_pkey", text)
        assert not re.search(r"Sort Key: .*\bts\b", text), "the key gives the order, and the walk ends at the limit"
    else:
        assert re.search(r"(Index Scan using|Bitmap Index Scan on) bars_\w+_pkey", text)
    read_times = [
        int(loops) for line in plan if "on corporate_actions " in line for loops in re.findall(r"loops=(\d+)", line)
    ]
    assert read_times
    if "total" not in question:
        assert max(read_times) == 1, "once for the whole question"
        assert "dividend" not in text, "who asks for no total return reads no dividends"
    else:
        assert max(read_times) <= 17, "once for the whole question, and once for each dividend"


def test_the_documented_question_is_answered(write: Connection, read: Callable[..., Rows]) -> None:
    example = re.search(r"## Splits and dividends.*?```sql\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert example is not None
    flat(write, "AAPL", "2020-08-28", 499.23)
    flat(write, "AAPL", "2020-08-31", 129.04)
    tell(write, ("AAPL", "2020-08-31", "split", 4.0))
    questions = [question for question in example[1].split(";") if question.strip()]
    assert [len(read(question.replace("%", "%%"))) for question in questions] == [2, 1, 2]
