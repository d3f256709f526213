"""Several DVC experiments in one call, and beside each other."""
