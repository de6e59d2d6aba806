#!/bin/sh
# The simulated exchange where it is the source; elsewhere the service ends at once, and well.
set -eu
if [ "$CANDLESTREAM_SOURCE" != simulator ]; then
    echo "the prices come from $CANDLESTREAM_SOURCE: the simulated exchange is not needed" >&2
    exit 0
fi
exec python -m simulator serve
