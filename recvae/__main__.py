"""`python -m recvae` is the command `recvae`."""

from recvae.cli import main

raise SystemExit(main())
