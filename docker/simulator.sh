#!/bin/sh
# The simulated exchange where it is the source. Elsewhere its container rests, and is well: one that had ended would make
# `docker compose up --wait` fail.
set -eu
if [ "$CANDLESTREAM_SOURCE" = simulator ]; then
    case "${1:-serve}" in
        serve) exec python -m simulator serve ;;
        health) exec python docker/health.py http "http://127.0.0.1:$CANDLESTREAM_SIMULATOR_PORT/health" ;;
    esac
fi
[ "${1:-serve}" = serve ] || exit 0
echo "the prices come from $CANDLESTREAM_SOURCE: the simulated exchange is not needed" >&2
exec sleep infinity
