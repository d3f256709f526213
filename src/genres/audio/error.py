"""The error of a file that cannot be used as music."""


class AudioError(Exception):
    """A file that cannot be used as music; the message gives the reason in a few words."""
