"""Runs migrations/0022_interrupted_work.sql."""

from pathlib import Path

from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    statements = Path(__file__).parents[1].joinpath("migrations", "0022_interrupted_work.sql").read_text()
    # Straight to the driver: the text holds percent signs and colons of its own.
    op.get_bind().connection.cursor().execute(statements)
