"""File formats of images, one a file."""
