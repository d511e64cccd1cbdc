"""Benchmarks, python -m benchmarks.NAME: each prints a table and writes NAME.json; docs/speed.md
shows results/*.csv.
"""
