"""From a song to genre probabilities, with a trained model."""
