"""Fuzzing: what anyone may send is thrown at the parsers. `python -m fuzz` says how.

A target is a module with

- `seeds()`: good inputs, as bytes, made from what the package and its tests hold;
- `check(data)`: hands any bytes to a parser and raises an exception if that finds a fault:
  the parser may refuse them by one line of `InputError`, and nothing else; what it accepts must
  be consistent;
- `mutate(data, rng)`, if there is more to change than bytes: another input that is like `data`.

Checksums stop a fuzzer. So the first byte of an input tells what the rest is, and with most values
`check` completes it by the checksums that it lacks. `tests/test_fuzz.py` tries all of it on the
seeds.
"""
