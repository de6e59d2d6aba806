"""Runs migrations/0008_scores_of_history.sql."""

from pathlib import Path

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    statements = Path(__file__).parents[1].joinpath("migrations", "0008_scores_of_history.sql").read_text()
    # Straight to the driver: the text holds percent signs and colons of its own.
    op.get_bind().connection.cursor().execute(statements)
