"""The providers: one file each, found by its name. The file has `connect(home, budget)`, which gives a `LiveProvider`."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from ingestion.errors import BadConfiguration
from ingestion.providers.base import LiveProvider
from ingestion.requesting.budget import Budget

# Sources that a provider's file is pointed at instead of the provider itself, and what people are told they are.
STAND_INS = {"simulator": "the simulated exchange"}


def connect(name: str, home: Path, budget: Budget, source: str = "") -> LiveProvider:
    """The provider in `ingestion/providers/<name>.py`, called what the source is. Raises `BadConfiguration` when there is none."""
    if find_spec(f"{__name__}.{name}") is None:
        raise BadConfiguration(f"CANDLESTREAM_PROVIDER: there is no ingestion/providers/{name}.py")
    module = import_module(f"{__name__}.{name}")
    if not hasattr(module, "connect"):
        raise BadConfiguration(f"CANDLESTREAM_PROVIDER: ingestion/providers/{name}.py has no connect(home, budget)")
    provider: LiveProvider = module.connect(home, budget)
    provider.title = STAND_INS.get(source, provider.title)
    return provider
