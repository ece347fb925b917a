"""Pictures as networks over coordinates, whose weights are sent by relative entropy coding."""
