"""Scores, confidence intervals and significance tests."""
