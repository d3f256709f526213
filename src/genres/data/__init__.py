"""Folds, windows and batches: which part of which track is learned from, and how it is read."""
