"""Pixel by pixel: what is known of a pixel before it is coded, and the network that uses it."""
