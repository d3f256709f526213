"""Parameters, files and terminal output, which every other package may use."""
