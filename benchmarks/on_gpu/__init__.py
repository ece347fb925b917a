"""The steps of `benchmarks/gpu.py`, each a function from a `Run` to rows of its tables."""
