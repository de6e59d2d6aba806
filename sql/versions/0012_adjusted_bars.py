"""Runs migrations/0012_adjusted_bars.sql."""

from pathlib import Path

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    statements = Path(__file__).parents[1].joinpath("migrations", "0012_adjusted_bars.sql").read_text()
    # Straight to the driver: the text holds percent signs and colons of its own.
    op.get_bind().connection.cursor().execute(statements)
