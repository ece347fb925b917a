"""A causal network in integers as an image coder: lossless, any size, pixel by pixel."""
