"""Pictures as networks over coordinates (implicit neural representations), for lossy coding."""
