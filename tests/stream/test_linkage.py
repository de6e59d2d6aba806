"""Spark's Kafka connector and pyspark's jars link: what the one refers to, the other has, to the last method.

The connector, its token provider and pyspark come in versions that were not all released together (see docs/adr). A reference that
is missing would be a NoSuchMethodError in the middle of a stream, or years later in a path that is rarely taken.
"""

from pathlib import Path

import pyspark
import pytest

from stack.java import jars
from stack.java.runtime import Java
from tests.embedded import jar_home
from tests.stream.class_files import Library, Reference

pytestmark = pytest.mark.stream

LOG_KEYS = "org/apache/spark/internal/LogKeys"
# What is known to be missing, and why it does no harm: the token provider is older than Spark, whose log keys were renamed since.
# Both stand in one log line of the class below, which only a connection that asks for Kerberos delegation tokens ever loads.
EXCEPTIONS = {
    Reference(f"{LOG_KEYS}${name}$", member)
    for name in ("CLUSTER_ID", "SERVICE_NAME")
    for member in ("", f"MODULE$L{LOG_KEYS}${name}$;")
}
EXCEPTED_CLASS = "org/apache/spark/kafka010/KafkaDelegationTokenProvider"


@pytest.fixture(scope="module")
def connector_jars(java: Java) -> list[Path]:
    home = jar_home()
    jars.ensure(home, java, "spark")
    return list(jars.paths(home, "spark"))


@pytest.fixture(scope="module")
def connector(connector_jars: list[Path]) -> Library:
    """The connector and its token provider."""
    found = [path for path in connector_jars if path.name.startswith("spark-")]
    assert len(found) == 2
    return Library(found)


@pytest.fixture(scope="module")
def everything(connector_jars: list[Path]) -> Library:
    """What is on the stream's class path."""
    return Library([*connector_jars, *sorted((Path(pyspark.__file__).parent / "jars").glob("*.jar"))])


def referred_to(connector: Library) -> dict[Reference, set[str]]:
    """Everything outside of the JDK that the connector's classes refer to, and which of them do."""
    by: dict[Reference, set[str]] = {}
    for name in connector.names():
        parsed = connector.find(name)
        assert parsed is not None
        for reference in parsed.references:
            if reference.owner and not reference.owner.startswith("java"):
                by.setdefault(reference, set()).add(name)
    return by


def test_every_reference_of_the_connector_is_there(connector: Library, everything: Library) -> None:
    by = referred_to(connector)
    spark = {reference for reference in by if reference.owner.startswith("org/apache/spark/")}
    assert len(spark) > 1_000, "a parser that finds nothing proves nothing"
    missing = {reference for reference in by if not everything.has(reference)}
    assert missing == EXCEPTIONS
    assert {name for reference in missing for name in by[reference]} == {EXCEPTED_CLASS}


def test_a_class_a_method_and_an_inherited_method_are_told_from_what_is_not_there(everything: Library) -> None:
    logging = "org/apache/spark/internal/Logging"
    frame = "org/apache/spark/sql/classic/SparkSession"
    assert everything.has(Reference(logging))
    assert everything.has(Reference(logging, "log()Lorg/slf4j/Logger;"))
    assert everything.has(Reference(frame, "log()Lorg/slf4j/Logger;")), "inherited from Logging"
    assert everything.has(Reference(frame, "hashCode()I")), "inherited from Object"
    assert not everything.has(Reference("org/apache/spark/internal/Lagging"))
    assert not everything.has(Reference(logging, "log(I)Lorg/slf4j/Logger;"))
    assert not everything.has(Reference(frame, "hushCode()I"))
