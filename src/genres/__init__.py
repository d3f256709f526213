"""Music genre classification with convolutional networks on mel spectrograms."""
