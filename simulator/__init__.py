"""A simulated exchange that speaks Yahoo Finance's wire protocol to the unmodified yfinance client.

From the bottom up: `noise` (random numbers by address), `listings`, `venues`, `sessions`, `splits`; then the price, from far to
near: `daily`, `path` and `minutes`, `parts` (before and after the session), `trades`, all of it held together by `market`; then
what a client sees: `snapshot`, `intraday`, `longer`, `imperfections`, `intervals`, `meta`, `chart`, `quotes`, `tape`, `wire`;
then the process: `clock`, `certificates`, `proxy`, `feed`, `app`, `serve`. What goes wrong on purpose is in the package `faults`.
It imports nothing of the platform: it is the other side.
"""
