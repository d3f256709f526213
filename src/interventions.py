"""Stage `interventions`: remix test songs, one ingredient at a time and in doses, and ask every architecture.

    python src/interventions.py

Of a sample of test songs of other genres than the target it renders each ingredient alone and all together in the doses
of params.yaml, every set of ingredients at dose 1, and two controls. Writes metrics/interventions.json and, into
plots/interventions/, doses.csv (a row for each architecture, curve and dose), shapley.csv (architecture and
ingredient), songs.csv (architecture, song and version), pairs.csv (architecture and found pair of the stage `remix`)
and two pictures. docs/remix.md describes the measures.
"""

import argparse
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from genres.compute import pool
from genres.core import params
from genres.core.console import UserError, command, print_table, progress
from genres.core.files import read_table, write_json, write_table
from genres.core.inputs import available
from genres.core.params import Params
from genres.core.paths import METRICS, PLOTS, TRACKS, model_path, raw_dir
from genres.core.text import architecture_label, dataset_note, display_name
from genres.figures import interventions as figures
from genres.figures.style import save, sentence
from genres.inference.classifier import Classifier, choose_model
from genres.models.card import read_card
from genres.remixing.remix import CONTROLS, INGREDIENTS, STYLES
from genres.remixing.versions import ORIGINAL, Version, full_sets, lines, plan, spectrograms
from genres.stats.interventions import Estimate, first_dose, half_tip, margins, means, shapley, shares
from genres.stats.sign_flip import sign_flip

SCORES, FOLDER = METRICS / "interventions.json", PLOTS / "interventions"
FOUND_PAIRS = PLOTS / "remix" / "pairs.csv"
BEYOND = "beyond"  # in place of a dose that is not reached

CURVE_COLUMNS = ["ingredient", "dose", "probability", "ci95_low", "ci95_high", "tipped"]
SHAPLEY_COLUMNS = ["ingredient", "shift", "ci95_low", "ci95_high", "share", "share_ci95_low", "share_ci95_high"]
SONG_COLUMNS = ["track_id", "genre", *INGREDIENTS, "control", "probability", "margin"]
PAIR_COLUMNS = ["song", "original", "remix", "shift", *INGREDIENTS, "all"]


@dataclass(frozen=True)
class Effects:
    """Answers of one architecture, and what follows from them."""

    songs: pd.DataFrame  # SONG_COLUMNS
    doses: pd.DataFrame  # CURVE_COLUMNS
    shapley: pd.DataFrame  # SHAPLEY_COLUMNS
    pairs: pd.DataFrame  # PAIR_COLUMNS
    summary: dict[str, Any]


@command
def main() -> None:
    """Run the stage."""
    argparse.ArgumentParser(prog="python src/interventions.py", description=__doc__.splitlines()[0]).parse_args()
    settings = params.load()
    if settings.remix.style not in STYLES:
        raise UserError(f"remix.style: '{settings.remix.style}' is none of {', '.join(STYLES)}")
    architectures = available(settings)
    cards = {name: read_card(model_path(name)) for name in architectures}
    first = cards[architectures[0]]
    about = {"dataset": first["dataset"], "protocol": first["protocol"], "leaky": first["protocol"] == "clip"}
    about |= {"style": settings.remix.style, "target": settings.remix.genre}
    reason, refused, effects = why_none(settings, first["genres"]), 0, {}
    if reason is None:
        found = found_pairs(settings)  # before the long part
        classifiers = {name: Classifier(choose_model(name)) for name in architectures}  # exported ones are faster
        songs, answers, refused = ask(classifiers, candidates(settings), settings)
        if len(songs):
            effects = {
                name: effects_of(answers[name], cards[name]["genres"], songs, found[found["arch"] == name], settings)
                for name in architectures
            }
        else:
            reason = f"none of the {refused} test songs has a beat to remix"
    n_songs = 0 if reason else len(songs)
    labels = {name: architecture_label({"arch": name, **card}) for name, card in cards.items()}
    write(effects, about | {"n_songs": n_songs, "n_refused": refused}, labels, reason)
    show(effects, about | {"n_songs": n_songs}, reason)


def why_none(settings: Params, genres: list[str]) -> str | None:
    """Return why no song can be remixed; None if some may be."""
    if not settings.recipe.has_audio:
        return f"the data set {settings.dataset} has no audio"
    if settings.remix.genre not in genres:
        return f"the data set {settings.dataset} has no genre {settings.remix.genre} (remix.target, else remix.style)"
    return None if settings.remix.songs else "remix.songs is 0"


def candidates(settings: Params) -> pd.DataFrame:
    """Return the test tracks of other genres than the target in the order of trial: drawn by seed, genres in turns."""
    raw = read_table(raw_dir(settings.dataset) / "tracks.csv", dtype=str)
    folds = read_table(TRACKS, dtype=str)
    tested = raw[raw["track_id"].isin(folds["track_id"][folds["fold"] == "test"])]
    tested = tested[tested["genre"] != settings.remix.genre].sample(frac=1, random_state=settings.seed)
    return tested.iloc[np.argsort(tested.groupby("genre").cumcount(), kind="stable")]


def ask(
    classifiers: Mapping[str, Classifier], tracks: pd.DataFrame, settings: Params
) -> tuple[pd.DataFrame, dict[str, dict[Version, np.ndarray]], int]:
    """Remix songs until there are enough, and predict each version with all architectures.

    Returns
    -------
    songs : pd.DataFrame
        The rows of `tracks` that were remixed.
    answers : dict
        By architecture and version: probabilities, float64 [shape=(songs, genres)].
    refused : int
        Number of tracks that were tried and have no beat to remix.
    """
    versions = plan(settings.remix.doses)
    forms = list(dict.fromkeys(classifier.format for classifier in classifiers.values()))
    answers: dict[str, dict[str, np.ndarray]] = {name: {} for name in classifiers}
    tried = remixed = 0
    while remixed < settings.remix.songs and tried < len(tracks):
        batch = tracks.iloc[tried : tried + settings.remix.songs - remixed]
        tried += len(batch)
        tasks = {row["track_id"]: _task(row, versions, forms, settings) for row in batch.to_dict("records")}
        # One at a time: a song takes seconds.
        done = pool.run(spectrograms, tasks, _as_it_is, settings.compute, settings.songs_dir, batch=1)
        for track_id, result in progress(done, total=len(tasks), what="remixing", unit="song"):
            if isinstance(result, str):
                continue
            remixed += 1
            for name, classifier in classifiers.items():
                form = forms.index(classifier.format)
                answers[name][track_id] = np.stack([classifier.timeline(found[form]).mean() for found in result])
    songs = tracks[tracks["track_id"].isin(next(iter(answers.values())))]
    by_version = {
        name: dict(zip(versions, np.stack([found[t] for t in songs["track_id"]], axis=1), strict=True))
        for name, found in answers.items()
        if found
    }
    return songs, by_version, tried - remixed


def _task(row: Mapping[Any, Any], versions: list[Version], forms: list[Any], settings: Params) -> tuple[Any, ...]:
    # A seed of its own, so that not all songs get the same drum kit, and none depends on which others are chosen.
    seed = zlib.crc32(f"{settings.seed} {row['track_id']}".encode())
    return raw_dir(settings.dataset) / row["path"], settings.remix.style, seed, versions, forms


def _as_it_is(_: str, result: Any) -> Any:
    return result


def effects_of(
    answers: Mapping[Version, np.ndarray],
    genres: list[str],
    songs: pd.DataFrame,
    found: pd.DataFrame,
    settings: Params,
) -> Effects:
    """Compute the curves, the tipping doses and the shares from the answers of one architecture."""
    target = genres.index(settings.remix.genre)
    options = settings.evaluate.bootstrap, settings.seed
    probability = {version: rows[:, target] for version, rows in answers.items()}
    margin = {version: margins(rows, target) for version, rows in answers.items()}
    tables, tipping = [], {}
    for line, versions in lines(settings.remix.doses).items():
        doses = [max(version.doses) for version in versions]
        mean = means(np.column_stack([probability[version] for version in versions]), *options)
        by_song = np.column_stack([margin[version] for version in versions])
        tipping[line] = [first_dose(doses, effects, 0.0) for effects in by_song]
        tipped = [float(np.mean(np.array(tipping[line]) <= dose)) for dose in doses]
        rows = [(line, dose, *estimate, share) for dose, estimate, share in zip(doses, mean, tipped, strict=True)]
        tables.append(pd.DataFrame(rows, columns=CURVE_COLUMNS))
    curves = pd.concat(tables, ignore_index=True)
    by_ingredient = shapley([probability[version] for version in full_sets()])
    values, parts = means(by_ingredient.T, *options), shares(by_ingredient, *options)
    shapley_rows = [(part, *value, *share) for part, value, share in zip(INGREDIENTS, values, parts, strict=True)]
    table = pd.DataFrame(shapley_rows, columns=SHAPLEY_COLUMNS)
    summary: dict[str, Any] = {}
    for line in ("all", *CONTROLS):
        moved = probability[lines(settings.remix.doses)[line][-1]] - probability[ORIGINAL]
        (shift,) = means(moved[:, np.newaxis], *options)
        summary |= flat(f"shift_{line}", shift) | {f"shift_{line}_p": sign_flip(moved, settings.seed).p}
    summary |= {"tipped_all": float(np.mean(np.isfinite(tipping["all"])))}
    summary |= flat("half_tip_dose_all", half_tip(tipping["all"], *options))
    for part, share in zip(INGREDIENTS, parts, strict=True):
        summary |= flat(f"share_{part}", share)
    return Effects(long_table(songs, probability, margin), curves, table, pairs_of(found, curves), summary)


def flat(name: str, estimate: Estimate) -> dict[str, float | str]:
    """Return an estimate as numbers of a metrics file; an unknown value is left out, infinity becomes a text."""
    named = dict(zip((name, f"{name}_ci95_low", f"{name}_ci95_high"), estimate, strict=True))
    return {key: BEYOND if value == math.inf else value for key, value in named.items() if not math.isnan(value)}


def long_table(
    songs: pd.DataFrame, probability: Mapping[Version, np.ndarray], margin: Mapping[Version, np.ndarray]
) -> pd.DataFrame:
    """Return a row for each song and version."""
    parts = [
        songs[["track_id", "genre"]].assign(
            **dict(zip(INGREDIENTS, version.doses, strict=True)),
            control=version.control,
            probability=probability[version],
            margin=margin[version],
        )
        for version in probability
    ]
    return pd.concat(parts, ignore_index=True)[SONG_COLUMNS]


def found_pairs(settings: Params) -> pd.DataFrame:
    """Read the pairs of the stage `remix`: arch, song, original, remix and shift, that of the target's probability."""
    table, column = read_table(FOUND_PAIRS), f"shift_{settings.remix.genre}"
    if column not in table:
        raise UserError(f"{FOUND_PAIRS}: has no column {column}, so it is of another data set; run: dvc repro remix")
    return table.rename(columns={column: "shift"})


def pairs_of(found: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """Return the doses that move the mean probability of the target as far as each found pair does.

    A pair that moves it down or not at all has dose 0.
    """
    rows = []
    for pair in found.to_dict("records"):
        row = {key: pair[key] for key in ("song", "original", "remix", "shift")}
        for line in (*INGREDIENTS, "all"):
            curve = curves[curves["ingredient"] == line]
            shifts = (curve["probability"] - curve["probability"].iloc[0]).tolist()
            dose = first_dose(curve["dose"].tolist(), shifts, pair["shift"])
            row[line] = BEYOND if dose == math.inf else f"{dose:.2f}"
        rows.append(row)
    return pd.DataFrame(rows, columns=PAIR_COLUMNS)


def write(effects: Mapping[str, Effects], about: dict[str, Any], labels: Mapping[str, str], reason: str | None) -> None:
    """Write the metrics, the tables, which have only headers if no song was remixed, and the pictures."""
    metrics = about if reason is None else about | {"note": reason}
    for name, result in effects.items():
        metrics |= {f"{name}_{key}": value for key, value in result.summary.items()}
    write_json(SCORES, metrics)
    tables = {"doses": CURVE_COLUMNS, "shapley": SHAPLEY_COLUMNS, "songs": SONG_COLUMNS, "pairs": PAIR_COLUMNS}
    for table, columns in tables.items():
        joined = [getattr(result, table).assign(arch=name) for name, result in effects.items()]
        empty = pd.DataFrame(columns=["arch", *columns])
        write_table(FOLDER / f"{table}.csv", pd.concat(joined)[empty.columns] if joined else empty)
    style, target = display_name(about["style"]), display_name(about["target"])
    note = f"{dataset_note(about['dataset'], about['protocol'])}; the remixes are synthetic"
    note += f"; {about['n_songs']} test songs, 95 % bootstrap intervals over songs"
    titles = {"doses": f"Remixes to {style} in doses", "shapley": f"Remixes to {style}: Shapley values"}
    for picture, title in titles.items():
        if reason:
            figure = sentence(f"{reason}: nothing was remixed", title=title, note=note)
        elif picture == "doses":
            curves = {labels[name]: result.doses for name, result in effects.items()}
            figure = figures.doses(curves, title=title, note=note, target=target)
        else:
            found = {labels[name]: result.shapley for name, result in effects.items()}
            figure = figures.shapley(found, title=title, note=note, target=target)
        save(figure, FOLDER / f"{picture}.png")


def show(effects: Mapping[str, Effects], about: dict[str, Any], reason: str | None) -> None:
    """Print the table, or a line if no song was remixed."""
    if reason:
        print(f"interventions: {reason}: nothing was remixed")
        return
    rows = []
    for name, result in effects.items():
        found = result.summary
        shift = [f"{100 * found[f'shift_{line}']:+.0f}" for line in ("all", *CONTROLS)]
        tip = found["half_tip_dose_all"]
        parts = [f"{found[f'share_{part}']:.0%}" if f"share_{part}" in found else "" for part in INGREDIENTS]
        rows.append([name, *shift, tip if isinstance(tip, str) else f"{tip:.2f}", *parts])
    print_table(
        f"Remixes of {about['n_songs']} test songs, style {about['style']}: shift to {about['target']} in points, dose "
        f"where half of the songs tip, share of each ingredient; {dataset_note(about['dataset'], about['protocol'])}",
        ["architecture", "all", *(control.replace("_", " ") for control in CONTROLS), "half tip", *INGREDIENTS],
        rows,
    )


if __name__ == "__main__":
    main()
