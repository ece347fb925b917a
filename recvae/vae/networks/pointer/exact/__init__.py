"""The pointer decoder in integers, for kernels: the same frequencies on every machine."""
