import pytest

from dags.checks import Observation, complaint

pytestmark = pytest.mark.unit

FINE = {"spark": ("ok", "", 2.0), "ingestion": ("ok", "5 symbols", 1.0)}


@pytest.mark.parametrize(
    ("seen", "service", "words", "restart_helps"),
    [
        (Observation({"ingestion": FINE["ingestion"]}, 1.0, 2.0), "spark", "the stream has never reported", False),
        (Observation({"spark": FINE["spark"]}, 1.0, 2.0), "ingestion", "the live service has never reported", False),
        (Observation({**FINE, "spark": ("ok", "batch 7", 400.0)}, 1.0, 2.0), "spark", "not reported for 400 s", True),
        (Observation(FINE, 700.0, 2.0), "spark", "last commit was 700 s ago", True),
        (Observation(FINE, None, None), "spark", "has not committed anything", False),
        # It catches up; a restart would only cost it time.
        (Observation(FINE, 1.0, 900.0), "spark", "900 s behind", False),
        # What was stopped on purpose stays stopped, what waits for PostgreSQL waits.
        (Observation({**FINE, "spark": ("stopped", "", 400.0)}, 1.0, 2.0), "spark", "not reported for 400 s", False),
        (Observation({**FINE, "spark": ("waiting", "", 1.0)}, 700.0, 2.0), "spark", "700 s ago", False),
        # What still starts would only start anew.
        (Observation({**FINE, "spark": ("starting", "", 1.0)}, 700.0, 2.0), "spark", "700 s ago", False),
    ],
)
def test_a_complaint_is_one_sentence_that_names_the_part(
    seen: Observation, service: str, words: str, restart_helps: bool
) -> None:
    said = complaint(seen)
    assert said is not None
    assert (said.service, said.restart_helps) == (service, restart_helps)
    assert words in said.sentence


@pytest.mark.parametrize(
    "seen",
    [
        Observation(FINE, 1.0, 2.0),
        # Without a feed there is nothing to commit: the live service's own trouble.
        Observation({**FINE, "ingestion": ("retrying", "the feed was lost", 1.0)}, 700.0, 900.0),
    ],
)
def test_nothing_is_wrong_with_what_works_or_has_nothing_to_do(seen: Observation) -> None:
    assert complaint(seen) is None
