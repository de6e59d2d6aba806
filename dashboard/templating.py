"""HTML from templates that escape whatever they are given."""

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
BETWEEN_TAGS = re.compile(r">\s*\n\s*<")


def render(template: str, **values: Any) -> str:
    """The filled-in template, without the blanks between its elements: it is sent each second."""
    return BETWEEN_TAGS.sub("><", TEMPLATES.get_template(template).render(**values))


def direction(change: float | None) -> str:
    """The style of a change: up, down or flat."""
    return "flat" if not change else "up" if change > 0 else "down"
