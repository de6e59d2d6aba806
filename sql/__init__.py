"""The database: roles, migrations (run by Alembic, which keeps the ledger) and the schema that readers rely on."""
