"""Recipes: a configuration in each file, python -m flaxgan.main --recipe NAME; results/*.csv hold
what was measured.
"""
