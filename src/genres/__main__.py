"""Run the command `genres` as `python -m genres`."""

from genres.cli import app

app(prog_name="genres")
