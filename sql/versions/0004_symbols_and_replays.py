"""Runs migrations/0004_symbols_and_replays.sql."""

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    statements = Path(__file__).parents[1].joinpath("migrations", "0004_symbols_and_replays.sql").read_text()
    # Straight to the driver: the text holds percent signs and colons of its own.
    op.get_bind().connection.cursor().execute(statements)
