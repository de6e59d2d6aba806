"""A circuit breaker for each host: who fails again and again is left alone for a while, then tried once. Pure."""

from dataclasses import dataclass

OPENS_AFTER = 5
FIRST_REST_S = 20.0
LONGEST_REST_S = 300.0


@dataclass(slots=True)
class Breaker:
    """A host's failures in a row, and until when it rests (wall-clock seconds, since processes share it)."""

    failures: int = 0
    rests_until_s: float = 0.0
    rest_s: float = 0.0

    def wait_s(self, now_s: float) -> float:
        """Seconds until the host may be asked; 0 when it may now. A wall clock that was set back keeps nobody out for longer."""
        return min(max(0.0, self.rests_until_s - now_s), LONGEST_REST_S)

    def asked(self, now_s: float) -> None:
        """Somebody tries: after a rest only one at a time, for as long as the first rest takes."""
        if self.failures >= OPENS_AFTER:
            self.rests_until_s = now_s + FIRST_REST_S

    def failed(self, now_s: float) -> None:
        self.failures += 1
        if self.failures >= OPENS_AFTER:
            self.rest_s = min(LONGEST_REST_S, 2 * self.rest_s or FIRST_REST_S)
            self.rests_until_s = now_s + self.rest_s
