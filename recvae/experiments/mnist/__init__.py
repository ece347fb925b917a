"""Lossless MNIST: relative entropy coding with space partitioning beside every other algorithm."""
