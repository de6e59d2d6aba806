"""What ingestion counts, for Prometheus."""

from prometheus_client import REGISTRY, Counter, Gauge

FRAMES = Counter("candlestream_ingestion_frames", "Frames of the live feed by what became of them", ["outcome"])
RECONNECTS = Counter("candlestream_ingestion_reconnects", "Lost connections of the live feed by reason", ["reason"])
CONNECTED = Gauge("candlestream_ingestion_connected", "1 while the live feed is connected")
QUEUED = Gauge("candlestream_ingestion_queued", "Records that wait for the broker")
UNDELIVERED = Counter("candlestream_ingestion_undelivered", "Records that the broker refused")
COMPLETE_THROUGH = Gauge("candlestream_ingestion_complete_through_seconds", "Event time of the last clock record")
TICK_DELAY = Gauge("candlestream_ingestion_tick_delay_seconds", "Receive time less event time of the newest tick")
REQUESTS = Counter("candlestream_ingestion_requests", "Requests to the provider by status", ["status"])
PROVIDER_ERRORS = Counter(
    "candlestream_ingestion_provider_errors", "Questions that the provider did not answer, by class of error", ["error"]
)
HOLES = Counter("candlestream_ingestion_holes", "Holes of the live feed by what became of them", ["outcome"])


def provider_errors() -> dict[str, int]:
    """What `PROVIDER_ERRORS` has counted in this process, for the last line of a command that nobody scrapes."""
    name = "candlestream_ingestion_provider_errors"
    samples = [sample for family in REGISTRY.collect() if family.name == name for sample in family.samples]
    return {sample.labels["error"]: int(sample.value) for sample in samples if sample.name == f"{name}_total"}
