"""Train and export models: `python train.py fit --config configs/mnist.yaml`; see `--help`."""

from recvae.training import main

if __name__ == "__main__":
    raise SystemExit(main())
