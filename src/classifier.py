"""Trained models as programs use them: see :class:`Classifier`; their cards come without Keras, from src/card.py."""

from src.card import read_card, write_card

__all__ = ["read_card", "write_card"]
