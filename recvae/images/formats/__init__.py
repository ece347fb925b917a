"""File formats of images, one module for each."""
