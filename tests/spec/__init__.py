"""A second decoder of .recvae files, written from docs/format.md alone.

numpy and Python integers; no torch, and nothing of `recvae`. It is slow, and it proves that the
specification suffices.
"""
