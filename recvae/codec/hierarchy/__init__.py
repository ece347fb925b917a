"""A hierarchical VAE as an image coder: lossy, any size, in layers from coarse to fine."""
