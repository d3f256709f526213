"""Training of one architecture."""
