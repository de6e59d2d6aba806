"""Runs migrations/0005_ledger_and_quality.sql."""

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    statements = Path(__file__).parents[1].joinpath("migrations", "0005_ledger_and_quality.sql").read_text()
    # Straight to the driver: the text holds percent signs and colons of its own.
    op.get_bind().connection.cursor().execute(statements)
