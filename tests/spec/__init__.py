"""A second decoder of .recvae files, written from docs/format.md alone.

numpy and Python integers; without torch and without `recvae`. It is slow, and it proves that the
specification suffices.
"""
