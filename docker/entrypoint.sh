#!/bin/sh
# Gives a service what `init` decided once (where the prices come from, and so which database and topics), then becomes it.
set -eu
set -a
. "$CANDLESTREAM_HOME/platform.env"
set +a
address="postgres:5432/$CANDLESTREAM_DATABASE"
export CANDLESTREAM_DATABASE_URL="postgresql://${CANDLESTREAM_ROLE:-candlestream_reader}@$address"
export CANDLESTREAM_MIGRATOR_URL="postgresql://candlestream_migrator@$address"
export CANDLESTREAM_ADMIN_URL="postgresql://postgres@postgres:5432/postgres"
exec "$@"
