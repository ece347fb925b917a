"""The networks: encoders and decoders by name, a file an architecture."""
