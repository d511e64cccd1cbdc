"""Faults that are put into runs, caches and files at random: nothing may go wrong in silence.

    python -m tests.faults --trials 100

What a kind of fault is, and what must hold, is a function in kinds.py. tests/test_faults.py tries
a few of each.
"""
