"""History: what the provider keeps of it, or a file."""
