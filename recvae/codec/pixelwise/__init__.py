"""The image coder that is a causal network in integers: lossless, any size, pixel by pixel."""
