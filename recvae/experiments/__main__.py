"""`python -m recvae.experiments` runs the experiments."""

from recvae.experiments.cli import main

raise SystemExit(main())
