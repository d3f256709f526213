"""What every other package may use: parameters, files, the terminal."""
