import pytest

from dags.checks import Observation, complaint

pytestmark = pytest.mark.unit

FINE = {"spark": ("ok", "", 2.0), "ingestion": ("ok", "5 symbols", 1.0)}


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (Observation(FINE, 1.0, 2.0), None),
        (Observation({"ingestion": FINE["ingestion"]}, 1.0, 2.0), "the stream has never reported"),
        (Observation({"spark": FINE["spark"]}, 1.0, 2.0), "the live service has never reported"),
        (Observation({**FINE, "spark": ("ok", "batch 7", 400.0)}, 1.0, 2.0), "not reported for 400 s"),
        (Observation(FINE, 700.0, 2.0), "last commit was 700 s ago"),
        (Observation(FINE, None, None), "has not committed anything"),
        (Observation(FINE, 1.0, 900.0), "900 s behind"),
        # Without a feed there is nothing to commit: the live service's own trouble.
        (Observation({**FINE, "ingestion": ("retrying", "the feed was lost", 1.0)}, 700.0, 900.0), None),
    ],
)
def test_a_complaint_is_one_sentence_that_names_the_part(seen: Observation, words: str | None) -> None:
    said = complaint(seen)
    assert said is None if words is None else words in str(said)
