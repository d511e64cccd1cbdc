"""Benchmarks, python -m benchmarks.NAME: each prints a table and writes it here as .json; RESULTS.md keeps the tables."""
