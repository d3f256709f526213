"""The web page of `python -m src.app`: what it hears, how that looks, how it is laid out."""
