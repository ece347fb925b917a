"""The VAE as an image coder, its latents sent by relative entropy coding."""
