"""Pictures without loss, pixel by pixel: an integer network gives the law of the next value."""
