"""The command `genres`: one subcommand a task. Each imports what it needs when it is called."""

import importlib
import sys
from typing import Any

import click

# Subcommand: module with a `main(arguments)`, and what it does in one line.
COMMANDS = {
    "predict": ("genres.inference.answer", "Predict the genre of songs, with a trained model."),
    "card": ("genres.inference.model_card", "Write a model card: training data, scores with intervals, how to run it."),
    "tag": ("genres.library.tag", "Write predicted genres into the tags of a library of songs, or undo it."),
    "audit": ("genres.library.audit", "List songs whose genre labels look wrong, as a table, page and playlist."),
    "saliency": ("genres.inference.saliency", "Draw which parts of a song a prediction rests on."),
    "remix": ("genres.remixing.command", "Turn a song towards another genre, in doses: tempo, drums, bass, filter."),
    "app": ("genres.page.app", "Open the web page: songs, pairs of songs, results."),
    "web": ("genres.page.web", "Write a page that predicts in the browser alone, for any file server."),
    "spotify": ("genres.sources.spotify.commands", "Log in to Spotify; check and export playlists."),
    "export-mels": ("genres.sources.export_mels", "Write a data set of spectrograms from audio in GTZAN's layout."),
    "tune": ("genres.tuning.search", "Search hyperparameters of an architecture, on validation."),
    "leak": ("genres.experiments.leak", "Compare split protocols: how much a leaky one inflates accuracy."),
    "aggregate": ("genres.experiments.aggregate", "Mean, deviation, interval and ranks over seeds and folds."),
    "learning-curve": ("genres.experiments.learning_curve", "Accuracy against the number of artists, extrapolated."),
    "added-genres": ("genres.experiments.added_genres", "Compare the old genres' scores with and without added ones."),
    "referee": ("genres.experiments.referee", "Score another tagger on the test tracks, with paired tests."),
    "held-out": ("genres.experiments.out_of_fold", "Predict each track of the data set without its artist."),
    "experiments": ("genres.experiments.list", "List DVC experiments: changed parameters and results."),
    "doctor": ("genres.doctor", "Check this machine and this checkout for what spoils results in silence."),
    "register": ("genres.inference.register", "Put a trained model into MLflow's registry, to be served."),
}

# Modules of the extras of pyproject.toml.
EXTRAS = {
    "train": ("dvc", "keras", "librosa", "mlflow", "onnx", "optuna", "pandas", "sklearn", "tensorflow", "tf2onnx"),
    "page": ("gradio", "pandas"),
    "spotify": ("dotenv", "pandas", "requests", "spotipy"),
    "cluster": ("distributed", "fsspec", "threadpoolctl"),
}


class _Commands(click.Group):
    """Subcommands whose modules are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, summary = COMMANDS[cmd_name]

        def run(arguments: tuple[str, ...]) -> Any:
            try:
                return importlib.import_module(module).main(list(arguments))
            except ModuleNotFoundError as error:
                missing = str(error.name).partition(".")[0]
                own = {"app": "page", "spotify": "spotify", "predict": "spotify"}.get(cmd_name, "train")
                extra = next((extra for extra in (own, *EXTRAS) if missing in EXTRAS[extra]), None)
                if extra is None:
                    raise
                needed = f'pip install "music-genres[{extra}]"'
                print(f"error: genres {cmd_name}: {missing} is not installed; run: {needed}", file=sys.stderr)
                sys.exit(2)

        # The module's own parser reads the options, --help included.
        return click.Command(
            cmd_name,
            callback=run,
            params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
            short_help=summary,
            add_help_option=False,
            context_settings={"ignore_unknown_options": True},
        )


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="music-genres")
def app() -> None:
    """Music genres from audio: predict songs, run experiments, compare their results.

    The pipeline itself is DVC's: `dvc repro`, `dvc exp run`. `genres COMMAND --help` has the options of a command.
    """
