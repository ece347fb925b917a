"""Coding pixel by pixel: the context of a pixel, and the network that uses it."""
