"""Runs migrations/0020_last_ticks_and_quoted_extremes.sql."""

from pathlib import Path

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    statements = Path(__file__).parents[1].joinpath("migrations", "0020_last_ticks_and_quoted_extremes.sql").read_text()
    # Straight to the driver: the text holds percent signs and colons of its own.
    op.get_bind().connection.cursor().execute(statements)
