"""Symbols that are not known: who is worth a question to the database, so that a flood of them does not cost one a batch. Pure."""

from collections.abc import Callable, Iterable

# A symbol that the database did not know is asked about again after so long. Its row is written before its first record, so that
# only who sends records first, and tracks the symbol within this time, finds the last of them among the dead letters.
AGAIN_S = 2.0
# Names are kept for a few MB at most. A flood of names that never come twice costs a question in this time, all together.
MOST_NAMES = 20_000


class Strangers:
    """`now_s` is a monotonic clock."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._asked_s: dict[object, float] = {}

    def are_worth_asking(self, symbols: Iterable[object]) -> bool:
        """Whether any of the symbols was not asked about lately."""
        now_s = self._now_s()
        self._asked_s = {symbol: at_s for symbol, at_s in self._asked_s.items() if now_s - at_s < AGAIN_S}
        if len(self._asked_s) >= MOST_NAMES:
            return False
        return any(symbol not in self._asked_s for symbol in symbols)

    def asked(self, symbols: Iterable[object]) -> None:
        self._asked_s.update(dict.fromkeys(symbols, self._now_s()))
