"""Benchmarks, python -m benchmarks.NAME: each prints a table and writes NAME.json; RESULTS.md keeps the tables."""
