"""The documentation, and python -m docs.generate, which writes what it takes from data and from the
command line.
"""
