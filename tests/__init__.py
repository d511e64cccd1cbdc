"""The tests; a package, so that no other package named tests, installed beside, hides it."""
