"""Write a model card: what a model was trained on, how well it does on songs of others, and how to run it.

    genres card MODEL [--data-licence TEXT] [-o README.md]

The card is Markdown with metadata in YAML, as Hugging Face's hub reads it. Scores are those of the stage `evaluate`, of
this very model file: dvc.lock says which model and which tracks they belong to. The card of a model with a leaky split
says so in its first line.
"""

import argparse
import hashlib
import io
import sys
from pathlib import Path
from typing import Any

from genres.core.console import UserError, command
from genres.core.files import atomic, read_json, read_table
from genres.core.paths import LEADERBOARD, MODELS, PLOTS, TAGGER, TRACKS, metrics_path, model_path
from genres.core.text import amount, dataset_note, duration, markdown_table
from genres.inference.classifier import choose_model
from genres.models.card import ModelCard, read_card

LEAKY = (
    "**LEAKY split: clips of one song are in both training and test. The scores below are inflated; they do not say "
    "how well the model does on new songs.**"
)
SYNTHETIC = "It was trained on **synthetic** music, made by a program: its scores say nothing about real music."
OVERLAP = " Artists of the test tracks may have been in those data."
TAGS = (
    "Its classes are **tags** that listeners gave to songs. Each has a probability of its own; they do not sum to 1. "
    "No scores were computed here."
)

_PREVIEWS = "previews of commercial recordings, from the stores of Spotify, Deezer and Apple: all rights reserved"
_GTZAN = "GTZAN (Tzanetakis and Cook 2002): excerpts of commercial recordings without a licence, collected for research"
LICENCES = {
    "demo": "made by the program that trained the model: under its MIT licence",
    "gtzan": _GTZAN,
    "gtzan_plus": f"{_GTZAN}; {_PREVIEWS}",
    "spotify14": _PREVIEWS,
    "Million Song Dataset": "tags of Last.fm and previews of commercial recordings; neither is part of the model",
}
SPLITS = {
    "artist": "By artist: no artist and no duplicate recording is in two folds.",
    "track": "By track: no recording is in two folds, but songs of one artist are.",
    "predefined": "The data set's own lists of training and test tracks.",
    "clip": "By clip: LEAKY, clips of one song are in training and test.",
    "tags": "That of the publication.",
}
SCORES = {
    "track_accuracy": "accuracy over tracks",
    "macro_f1": "macro F1",
    "clip_accuracy": "accuracy over clips",
    "log_loss": "log loss",
    "ece": "expected calibration error",
    "unlike_test": "test tracks that get the out-of-distribution warning; 5 % are accepted",
}


@command
def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="genres card", description=__doc__.splitlines()[0])
    parser.add_argument("model", help=f"architecture in models/, {TAGGER}, or a model file (.onnx, .keras)")
    parser.add_argument("--data-licence", metavar="TEXT", help="licence of the training data, if they are your own")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the card there (default: print it)")
    given = parser.parse_args(arguments)
    model_file = choose_model(given.model)
    card = read_card(model_file)
    text = model_card(model_file, card, scores_of(model_file, card), given.data_licence)
    if given.output is None:
        sys.stdout.write(text)
        return
    with atomic(given.output) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(f"{given.output}: model card of {card['architecture']}", file=sys.stderr)


def scores_of(model_file: Path, card: ModelCard) -> dict[str, Any] | None:
    """Return the scores of the stage `evaluate`; None for a model from elsewhere, and for the tagger.

    Raises
    ------
    UserError
        If the scores are missing, or of another model or other tracks than those that are there now.
    """
    architecture = card["architecture"]
    if card["protocol"] == "tags" or model_file.resolve().parent != MODELS.resolve():
        return None
    path, stage = metrics_path(architecture), f"evaluate@{architecture}"
    again = f"run: dvc repro '{stage}'"
    if not path.exists():
        raise UserError(f"{path}: no such file; {again}")
    digests = recorded(stage)
    for file in (model_path(architecture), TRACKS, path):
        if digests.get(file.as_posix()) != _md5(file):
            raise UserError(f"{path}: not of the present {file} (by dvc.lock); {again}")
    return dict(read_json(path))


def recorded(stage: str) -> dict[str, str]:
    """Return the MD5 digest by path of what a stage read and wrote last, by dvc.lock; empty if it was never run."""
    from ruamel.yaml import YAML

    lock = Path("dvc.lock")
    entry = (YAML(typ="safe").load(lock) if lock.exists() else {}).get("stages", {}).get(stage, {})
    return {item["path"]: item["md5"] for item in (*entry.get("deps", ()), *entry.get("outs", ())) if "md5" in item}


def _md5(file: Path) -> str | None:
    return hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() if file.exists() else None


def model_card(model_file: Path, card: ModelCard, scores: dict[str, Any] | None, licence: str | None) -> str:
    """Return the card's text.

    Parameters
    ----------
    model_file : Path
    card : ModelCard
        Card in the model file.
    scores : dict or None
        Scores by their names in metrics/<architecture>.json.
    licence : str or None
        Licence of the training data; None: what is known of the data set.
    """
    name, leaky, tagger = card["architecture"], card["protocol"] == "clip", card["protocol"] == "tags"
    kind = "tags music" if tagger else "classifies music by genre"
    parts = [*([LEAKY] * leaky), f"# {name}: {kind}"]
    parts += [*([SYNTHETIC] * (card["dataset"] == "demo")), *([TAGS] * tagger)]
    if card.get("pretrained_on"):
        parts.append(
            f"It is **{_outside(card)}**: its weights come from a network that was trained on outside data, musicnn "
            f"0.1.0 (Pons and Serra 2019).{'' if scores is None else OVERLAP}"
        )
    parts += ["## Use", _use(model_file, card), "## Training data", _data(card, licence, tables=scores is not None)]
    if scores is not None:
        notes = ["synthetic"] * (card["dataset"] == "demo") + [_outside(card)] * bool(card.get("pretrained_on"))
        title = ", ".join([f"## Scores on {scores['test_tracks']} test tracks", *notes, *(["LEAKY"] * leaky)])
        parts += [title, _scores(card, scores)]
    elif not tagger:
        parts.append("## Scores\n\nNone: the model comes from elsewhere, and its test tracks are not here.")
    parts += ["## Network", _network(card)]
    library = {".onnx": "onnx", ".keras": "keras"}[model_file.suffix]
    return f"---\n{_metadata(card, scores, library)}---\n" + "\n\n".join(parts) + "\n"


def _outside(card: ModelCard) -> str:
    return f"pretrained ({card.get('pretrained_on')})"


def _metadata(card: ModelCard, scores: dict[str, Any] | None, library: str) -> str:
    """Return the metadata in YAML: https://huggingface.co/docs/hub/model-cards."""
    from ruamel.yaml import YAML

    mixed = {"license": "other", "license_name": "mit-with-weights-under-isc"}
    about: dict[str, Any] = mixed if card.get("pretrained_on") else {"license": "mit"}
    about |= {"library_name": library, "pipeline_tag": "audio-classification", "tags": ["music", "genre"]}
    if scores is not None:
        kinds = {"track_accuracy": "accuracy", "macro_f1": "f1"}
        note = f", {_outside(card)}" if card.get("pretrained_on") else ""
        values = [{"type": kind, "name": SCORES[key] + note, "value": scores[key]} for key, kind in kinds.items()]
        dataset = {"type": card["dataset"], "name": dataset_note(card["dataset"], card["protocol"])}
        task = {"type": "audio-classification", "name": "music genre"}
        result = {"task": task, "dataset": dataset, "metrics": values}
        about["model-index"] = [{"name": card["architecture"], "results": [result]}]
    text = io.StringIO()
    yaml = YAML()
    yaml.width = 1000
    yaml.dump(about, text)
    return text.getvalue()


def _use(model_file: Path, card: ModelCard) -> str:
    classes = ", ".join(card.get("genre_tags", card["genres"]))
    lines = [f"{'Tags that are genres' if 'genre_tags' in card else 'Genres'}: {classes}."]
    lines.append(f"    genres predict --model {model_file.name} SONG...")
    if model_file.suffix == ".onnx":
        lines.append(
            "Or with onnxruntime alone: the input `samples` takes mono float32 audio of any length at "
            f"{card['spectrogram']['sample_rate']} Hz; the outputs are `probabilities` (windows x genres), `song` "
            "(their mean) and `score` (out-of-distribution)."
        )
    if card.get("out_of_distribution"):
        lines.append(
            "The model can only choose among its genres. A song whose out-of-distribution score exceeds "
            f"{card['out_of_distribution']['threshold']:.2f} is unlike its training tracks; its answer means little. "
            "A genre that is not listed but sounds like one that is gets no warning."
        )
    return "\n\n".join(lines)


def _data(card: ModelCard, licence: str | None, *, tables: bool) -> str:
    known = LICENCES.get(card["dataset"], "not stated; ask who trained the model")
    lines = [f"Data set: {card['dataset']}. Licence: {licence or known}.", f"Split: {SPLITS[card['protocol']]}"]
    stage = recorded(f"train@{card['architecture']}")
    if tables and stage.get(TRACKS.as_posix()) == _md5(TRACKS) is not None:
        tracks = read_table(TRACKS, dtype=str)
        counts = tracks.groupby(["genre", "fold"]).size().unstack(fill_value=0)
        folds = [fold for fold in ("train", "val", "test") if fold in counts]
        rows = [[str(genre), *(str(row[fold]) for fold in folds)] for genre, row in counts.iterrows()]
        lines.append(markdown_table(["tracks", *folds], rows))
        artists = tracks[tracks["artist"] != ""].groupby("fold")["artist"].nunique()
        lines.append("Artists: " + ", ".join(f"{artists.get(fold, 0)} in {fold}" for fold in folds) + ".")
    return "\n\n".join(lines)


def _scores(card: ModelCard, scores: dict[str, Any]) -> str:
    rows = [[text, "" if scores[key] is None else f"{scores[key]:.3f}"] for key, text in SCORES.items()]
    low, high = scores["track_accuracy_ci95_low"], scores["track_accuracy_ci95_high"]
    rows[0][1] += f" [{low:.3f}, {high:.3f}] (95 % interval, bootstrap over tracks)"
    rows.insert(1, ["accuracy of a guess", f"{1 / len(card['genres']):.3f}"])
    ranked = read_json(LEADERBOARD) if LEADERBOARD.exists() else []
    mine = next((row for row in ranked if row["arch"] == card["architecture"]), None)
    if mine and mine["ece"] == scores["ece"]:  # else the leaderboard is of another training
        note = mine["temperature_reason"] or f"{mine['ece_calibrated']:.3f} with temperature {mine['temperature']:.2f}"
        rows.insert(list(SCORES).index("ece") + 2, ["the same after temperature scaling on validation", note])
    parts = [markdown_table(["score", "value"], rows)]
    by_genre = PLOTS / card["architecture"] / "per_genre.csv"
    if by_genre.exists():
        table = read_table(by_genre)
        cells = [
            [str(row["genre"]), f"{row['precision']:.2f}", f"{row['recall']:.2f}", f"{row['support']:.0f}"]
            for row in table.to_dict("records")
        ]
        parts.append(markdown_table(["genre", "precision", "recall", "test tracks"], cells))
    return "\n\n".join(parts)


def _network(card: ModelCard) -> str:
    form, windowing, epochs = card["spectrogram"], card["windowing"], card.get("epochs")
    top = form["fmax"] or form["sample_rate"] / 2
    rows = [
        [
            "input",
            f"mel spectrogram: {form['n_mels']} bands from {form['fmin']:.0f} to {top:.0f} Hz, "
            f"{form['frame_rate']:.1f} frames a second, FFT of {form['n_fft']} samples, {form['top_db']:.0f} dB below "
            f"the {form['reference']}",
        ],
        ["windows", f"{windowing['length_s']:g} s; a song's answer is the mean over its windows"],
        ["parameters", f"{card['n_parameters']:,}" if "n_parameters" in card else ""],
        ["multiply-adds a window", amount(card.get("multiply_adds"))],
        [
            "training",
            f"{epochs} epoch{'s' * (epochs != 1)}, {duration(card['seconds'])}" if epochs else "",
        ],
    ]
    return markdown_table(["", ""], [row for row in rows if row[1]])


if __name__ == "__main__":
    main()
