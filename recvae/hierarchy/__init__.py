"""Hierarchical VAEs of pictures: one network for all sizes and rates, for lossy coding."""
