"""Genres for a library of music: tags are predicted, written and restored, and no song is made worse."""
