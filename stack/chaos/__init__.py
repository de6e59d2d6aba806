"""A seeded attempt to make the stream lose or double something, on parts of its own."""
