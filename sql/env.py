"""Alembic's entry: one connection as the migrator, the ledger in the schema `public` as `schema_version`."""

import psycopg2
from alembic import context
from sqlalchemy import create_engine, pool

url = context.config.attributes["url"]
engine = create_engine("postgresql+psycopg2://", creator=lambda: psycopg2.connect(url), poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, version_table="schema_version", version_table_schema="public")
    with context.begin_transaction():
        # Two starts at once: the second waits here and then finds the ledger up to date.
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('candlestream migrations'))")
        context.run_migrations()
