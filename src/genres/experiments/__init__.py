"""Running and comparing several DVC experiments."""
