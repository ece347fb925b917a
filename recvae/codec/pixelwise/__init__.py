"""The image coder that is a causal network in integers: lossless, of any size, pixel by pixel."""
