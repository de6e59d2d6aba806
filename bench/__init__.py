"""Benchmarks: figures with the command that makes them (docs/benchmarks.md)."""
