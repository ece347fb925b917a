"""The image coder that is a hierarchical VAE: lossy, of any size, in layers from coarse to fine."""
