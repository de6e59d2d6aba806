"""Runs migrations/0021_origins_and_seams.sql."""

from pathlib import Path

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    statements = Path(__file__).parents[1].joinpath("migrations", "0021_origins_and_seams.sql").read_text()
    # Straight to the driver: the text holds percent signs and colons of its own.
    op.get_bind().connection.cursor().execute(statements)
