"""Reasons why a song is left as it is."""


class LeftAloneError(Exception):
    """A file that cannot be changed without a risk or a loss; the message is the reason."""
