"""Folds, windows, batches, augmentation and storage of spectrograms."""
