"""Fuzzing of the parsers of untrusted input; see `python -m fuzz`.

A target is a module with

- `seeds()`: good inputs, as bytes, made from data of the package and its tests;
- `check(data)`: passes arbitrary bytes to a parser and raises an exception if that reveals a fault:
  the parser may refuse them only by an `InputError` of one line; what it accepts must be
  consistent;
- `mutate(data, rng)`, if there is more to change than bytes: an input similar to `data`.

Checksums stop a fuzzer. So the first byte of an input gives the kind of the rest, and for most
kinds `check` adds the missing checksums. `tests/test_fuzz.py` runs all of it on the seeds.
"""
