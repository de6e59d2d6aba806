#!/bin/sh
# Roles, databases, schema and topics: each step is quick and harmless when it was done before.
set -eu
python -m sql bootstrap
python -m sql upgrade
python docker/topics.py
