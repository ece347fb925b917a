"""Mutants of the sources that the tests should tell from them; CONTRIBUTING.md has the command."""
