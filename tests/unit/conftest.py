"""How many examples the property tests try: few, so that the unit tests take seconds, or many (`--hypothesis-profile=long`)."""

from hypothesis import HealthCheck, settings

COMMON = {
    "deadline": None,
    "database": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}
settings.register_profile("quick", max_examples=20, **COMMON)
settings.register_profile("ci", parent=settings.get_profile("quick"), derandomize=True)
settings.register_profile("long", max_examples=5000, **COMMON)
if settings.get_current_profile_name() in ("default", "ci"):
    settings.load_profile("quick")
