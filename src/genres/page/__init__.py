"""The web page of `genres app`: what it hears, how that looks, how it is laid out."""
