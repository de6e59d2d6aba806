"""What goes to the screen: the whole figure once, then only the bars that differ from it.

The screen may miss messages (it draws the newest of those that came together), so a patch is always against the base and never
against the patch before; and a base that the screen does not confirm, or says that it lost, is sent again.
"""

from dataclasses import dataclass, field
from typing import Any

from dashboard.figures import columns, live, plain
from dashboard.queries import Row
from dashboard.style import Style

LARGEST_PATCH = 40
PATIENCE = 6
"""A base that is not confirmed after so many refreshes is sent again,"""
PATIENCE_IF_LOST = 2
"""and after so many if the screen asks for it."""
KEPT_EXTRA = 400
"""So many bars older than those asked for are kept, lest the whole figure be sent at each new bar."""


@dataclass
class Series:
    """The bars of one view. A bar keeps its place on the x-axis for as long as the view is open."""

    rows: list[Row] = field(default_factory=list)
    first_x: int = 0

    def replace(self, rows: list[Row]) -> None:
        """The newest bars anew, at the places that they had; older ones stay as they are, up to a limit."""
        places = {row.ts_ms: self.first_x + place for place, row in enumerate(self.rows)}
        known = next((place for place, row in enumerate(rows) if row.ts_ms in places), None)
        if known is None:
            self.rows, self.first_x = rows, 0
            return
        older = [row for row in self.rows if row.ts_ms < rows[0].ts_ms]
        kept = older if len(older) <= KEPT_EXTRA else []
        self.first_x = places[rows[known].ts_ms] - known - len(kept)
        self.rows = kept + rows

    def renew(self, since_ms: int, rows: list[Row]) -> None:
        """The bars from `since_ms` on anew."""
        self.rows = [row for row in self.rows if row.ts_ms < since_ms] + rows


@dataclass
class Wire:
    """Makes the messages of one browser tab."""

    tab: str
    bases: int = 0
    style: Style | None = None
    base: list[Row] = field(default_factory=list)
    base_x: int = 0
    waited: int | None = None
    """Refreshes since the base was last sent."""

    @property
    def base_id(self) -> str:
        return f"{self.tab}-{self.bases}"

    def message(self, series: Series, style: Style, confirmed: str | None) -> dict[str, Any]:
        """The message that brings a screen up to date. `confirmed` is the id of its base, or "?" and the id it lacks."""
        changed = self._changed(series)
        if style != self.style or changed is None or len(changed) > LARGEST_PATCH:
            self.bases += 1
            self.style, self.base, self.base_x, self.waited = style, list(series.rows), series.first_x, None
            changed = []
        out: dict[str, Any] = {"id": self.base_id, "patch": self._patch(series, style, changed or [])}
        if self._is_due(confirmed):
            out["base"] = {
                "figure": plain(self.base, self.base_x, style),
                "columns": [*columns([], 0, style)],
                "first_x": self.base_x,
            }
        return out

    def _is_due(self, confirmed: str | None) -> bool:
        """Whether the base must go with this message."""
        if confirmed == self.base_id:
            self.waited = 0
            return False
        patience = PATIENCE_IF_LOST if confirmed == f"?{self.base_id}" else PATIENCE
        if self.waited is None or self.waited + 1 >= patience:
            self.waited = 0
            return True
        self.waited += 1
        return False

    def _changed(self, series: Series) -> list[int] | None:
        """Places in `series` of the bars that the base has not, or has otherwise; None when a patch cannot say it."""
        if series.first_x != self.base_x or len(series.rows) < len(self.base):
            return None
        pairs = zip(series.rows, self.base, strict=False)
        differing = {place for place, (row, known) in enumerate(pairs) if row != known}
        # A bar's colours and change depend on the bar before it.
        beside = {place + 1 for place in differing if place + 1 < len(series.rows)}
        return sorted(differing | beside | set(range(len(self.base), len(series.rows))))

    @staticmethod
    def _patch(series: Series, style: Style, changed: list[int]) -> dict[str, Any]:
        values: dict[str, list[Any]] = {}
        for place in changed:
            previous = series.rows[place - 1] if place else None
            for path, cells in columns([series.rows[place]], series.first_x + place, style, previous).items():
                values.setdefault(path, []).extend(cells)
        return {
            "at": changed,
            "columns": values,
            "set": live(series.rows, series.first_x, style) if series.rows else {},
        }
