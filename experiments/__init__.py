"""Recipes: one runnable file each, python -m experiments.NAME; any flag can still be given."""
