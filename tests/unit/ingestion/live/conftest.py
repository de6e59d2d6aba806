"""What tests of the live service share."""

import pytest

from ingestion.live import feed as feed_module


@pytest.fixture
def quick_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "ws_proxy", "WS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(feed_module, "BEAT_S", 0.05)
    monkeypatch.setattr(feed_module, "PONG_TIMEOUT_S", 0.3)
