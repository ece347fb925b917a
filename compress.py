"""Compress and decompress images: `python compress.py --help`; the same as `recvae`."""

from recvae.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
