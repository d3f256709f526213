"""From an audio file to a mel spectrogram."""
