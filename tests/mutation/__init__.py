"""Mutants of the sources that tests should detect; the command is in CONTRIBUTING.md."""
