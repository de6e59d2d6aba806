"""Runs migrations/0011_chosen_indicators.sql."""

from pathlib import Path

from alembic import op

revision = "0011"
down_revision = "0009"


def upgrade() -> None:
    statements = Path(__file__).parents[1].joinpath("migrations", "0011_chosen_indicators.sql").read_text()
    # Straight to the driver: the text holds percent signs and colons of its own.
    op.get_bind().connection.cursor().execute(statements)
