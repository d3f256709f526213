"""Figures: what is drawn equals the data, nothing overlaps, and nothing global changes."""

import functools
import itertools
import math
import subprocess
import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.text import Text

from genres.audio.format import Format
from genres.core.text import amount, duration, percent
from genres.experiments.learning_curve import Curve
from genres.figures import (
    added,
    artists,
    comparison,
    confounding,
    coverage,
    differences,
    evidence,
    interventions,
    model,
    ranks,
    remix,
    repetitions,
    search,
    selective,
    style,
)
from genres.stats import pairs
from genres.stats.pairs import Pair, Song

ABOUT = {"title": "A title", "note": "demo (synthetic music), artist split"}
GENRES = ["blues", "brazilian_funk", "classical", "country", "disco", "hiphop", "metal", "pop", "rap", "reggae", "rock"]
GENRES += ["jazz", "drum_and_bass", "singer_songwriter", "progressive_rock"]
ARCHITECTURES = ["short_chunk_resnet", "bn_5x5", "ensemble", "baseline", "crnn", "bn_3x3_wide", "mlp", "harmonic_cnn"]


def counts_of(genres: int) -> np.ndarray:
    """Counts with zeros, large numbers and a genre without tracks."""
    counts = np.random.default_rng(genres).poisson(2, (genres, genres)) + 120 * np.eye(genres, dtype=int)
    counts[-1] = 0
    return counts


@functools.cache
def confusion_of(genres: int) -> Figure:
    return model.confusion_matrix(counts_of(genres), GENRES[:genres], **ABOUT)


def rows_of(architectures: int) -> list[dict]:
    return [
        {
            "arch": arch,
            "track_accuracy": 0.8 - 0.03 * i,
            "track_accuracy_ci95_low": 0.71 - 0.03 * i,
            "track_accuracy_ci95_high": 0.88 - 0.03 * i,
            "val_track_accuracy": 0.82 - 0.04 * i,
            "clip_accuracy": 0.7 - 0.03 * i,
            "n_parameters": 30_000 * 2**i,
            "seconds": None if arch == "ensemble" else 40.0 * 1.7**i,
            "multiply_adds": None if arch == "ensemble" else 3_000_000 * 3**i,
        }
        for i, arch in enumerate(ARCHITECTURES[:architectures])
    ]


HISTORY = {
    "loss": [2.0, 1.0, 0.5],
    "val_loss": [2.1, 1.3, 1.4],
    "accuracy": [0.2, 0.6, 0.9],
    "val_accuracy": [0.2, 0.55, 0.5],
    "learning_rate": [0.001, 0.001, 0.0008],
}
CONFOUNDING = {
    "families": 3,
    "genres_of_several_sources": 4,
    "majority_accuracy": 0.1,
    "source_alone_accuracy": 0.27,
    **{
        f"{name}_{key}": value
        for name, accuracy in (("source", 0.98), ("source_within_genre", 0.8), ("genre_same_source", 0.7))
        for key, value in (
            ("balanced_accuracy", accuracy),
            ("ci95_low", accuracy - 0.05),
            ("ci95_high", accuracy + 0.02),
            ("chance", 1 / 3),
        )
    },
    **{f"genre_other_source_{key}": None for key in ("balanced_accuracy", "ci95_low", "ci95_high", "chance")},
    **{f"{arch}_accuracy": 0.5 + 0.05 * number for number, arch in enumerate(ARCHITECTURES)},
    **{f"{arch}_accuracy_within_source": 0.6 + 0.05 * number for number, arch in enumerate(ARCHITECTURES)},
}
LEAK = [row | {"protocol": protocol} for row in rows_of(3) for protocol in ("clip", "track", "artist")]
TRIALS = [
    {
        "trial": n,
        "val_accuracy": [0.5, 0.62, 0.4, 0.71, 0.3, 0.66, 0.71][n - 1],
        "pruned": n in (3, 5),
        "dropout": 0.08 * n,
        "train.learning_rate": 0.0001 * 2**n,
        "train.batch_size": 16 * 2 ** (n % 3),
    }
    for n in range(1, 8)
]
SEARCHED = ["dropout", "train.learning_rate", "train.batch_size"]
DIFFERENCES = [
    ("bn_5x5", -0.08, -0.15, -0.01, "p = 0.03"),
    ("crnn", 0.02, -0.04, 0.08, "p = 1"),
    ("mlp", 0.1, 0.03, 0.2, ""),
]
REPEATED = [
    row
    | {"protocol": "artist", "n": n, "deviation": 0.02 if n > 1 else None}
    | {"values": [row["track_accuracy"] + 0.01 * k for k in range(n)]}
    for row, n in zip(rows_of(3), (5, 3, 1), strict=True)
]
CHANGES = [
    {"genre": genre, "tracks": 30, "before": 0.6, "after": 0.6 + change, "change": change, "to_new": 0.05}
    | {"change_ci95_low": change - 0.06, "change_ci95_high": change + 0.05}
    for genre, change in zip(["all old genres", *GENRES[:9]], np.linspace(-0.3, 0.1, 10), strict=True)
]
WENT = pd.DataFrame(np.random.default_rng(1).dirichlet(np.ones(9), 2), ["rap", "brazilian_funk"], GENRES[:9])


def song_of(genre: str, windows: int, seed: int) -> Song:
    """A song that is mostly of its genre, with one window that is not."""
    weights = np.full(len(GENRES), 0.2)
    weights[GENRES.index(genre)] = 6
    starts = 3.0 * np.arange(windows)
    return Song(f"{genre}{seed}", genre, np.random.default_rng(seed).dirichlet(weights, windows), starts, starts + 3)


PAIRS = [Pair(f"Song {n}", song_of("pop", 10, n), song_of("brazilian_funk", 8, 50 + n)) for n in range(7)]
HEARD = pairs.table(PAIRS, [song_of("pop", 10, 99)], GENRES)
PALETTE = remix.palette(HEARD, GENRES)
FORM = Format(sample_rate=22050, n_fft=2048, n_mels=64, frame_rate=43.0, top_db=80.0)
LOOKED = [
    evidence.Part(name, np.full((129, 64), 90, np.uint8), np.random.default_rng(n).normal(0, 1 + n, (129, 64)), 3.0 * n)
    for n, name in enumerate(("original (pop), 0 to 3 s", "remix (brazilian funk), 3 to 6 s"))
]
CURVES = [
    Curve("bn_5x5", [0.4, 0.5, 0.6], [0.3, 0.4, 0.5], [0.5, 0.6, 0.7], [], [], (0, 0, 0)),
    Curve(
        "transfer, pretrained (MSD)",
        [0.5, 0.6, 0.7],
        [0.4, 0.5, 0.6],
        [0.6, 0.7, 0.8],
        [10.0, 40.0, 80.0, 160.0],
        [(0.5, 0.4, 0.6), (0.6, 0.5, 0.7), (0.7, 0.6, 0.8), (0.75, 0.6, 0.85)],
        (0.05, 0.0, 0.1),
    ),
]
DOSED = pd.DataFrame(
    [
        (line, dose, dose * (n + 1) / 10, dose * n / 10, dose * (n + 2) / 10)
        for n, line in enumerate(interventions.LINES)
        for dose in ((0.0, 1.0) if line in ("noise", "own_beats") else (0.0, 0.5, 1.0))
    ],
    columns=["ingredient", "dose", "probability", "ci95_low", "ci95_high"],
)
SHAPLEY = pd.DataFrame(
    [("tempo", -0.1, -0.2, -0.05, -0.25), ("drums", 0.5, 0.3, 0.6, 1.25), ("bass", 0.0, math.nan, math.nan, math.nan)],
    columns=["ingredient", "shift", "ci95_low", "ci95_high", "share"],
)
RISK = [0.1, 0.5, 1.0], [0.0, 0.1, 0.25], [0.4, 0.2, 0.3]
DRAWN = {
    "confusion_matrix": lambda: model.confusion_matrix(counts_of(4), GENRES[:4], **ABOUT),
    "reliability_plot": lambda: model.reliability_plot([0, 0.4, 0.9], [0, 0.5, 0.6], [0, 10, 30], ece=0.25, **ABOUT),
    "learning_curves": lambda: model.learning_curves(HISTORY, best_epoch=2, **ABOUT),
    "leaderboard": lambda: comparison.leaderboard(rows_of(8), chance=1 / 11, **ABOUT),
    "accuracy_against_cost": lambda: comparison.accuracy_against_cost(rows_of(8), **ABOUT),
    "per_genre_recall": lambda: comparison.per_genre_recall(GENRES[:3], {"bn_5x5": [0, 0.5, math.nan]}, **ABOUT),
    "search_history": lambda: search.history(TRIALS, **ABOUT),
    "search_slices": lambda: search.slices(TRIALS, SEARCHED, {SEARCHED[1]}, {"dropout": 0.25}, **ABOUT),
    "differences": lambda: differences.differences(DIFFERENCES, **ABOUT),
    "repetitions": lambda: repetitions.repetitions(REPEATED, **ABOUT),
    "added_genres": lambda: added.added_genres(CHANGES, WENT, {"rap": 0.9, "brazilian_funk": math.nan}, **ABOUT),
    "leak": lambda: comparison.leak(LEAK, **ABOUT),
    "source": lambda: confounding.source(CONFOUNDING, ARCHITECTURES, **ABOUT),
    "remix pair": lambda: remix.versions(PAIRS[0], GENRES, PALETTE, **ABOUT),
    "remix overview": lambda: remix.overview(HEARD, pairs.shifts(HEARD, GENRES), **ABOUT),
    "remix, none": lambda: remix.overview(HEARD[:0], HEARD[:0], **ABOUT),
    "doses": lambda: interventions.doses(dict.fromkeys(ARCHITECTURES[:5], DOSED), target="brazilian funk", **ABOUT),
    "doses, one": lambda: interventions.doses({"transfer, pretrained (MSD)": DOSED}, target="rock", **ABOUT),
    "shapley": lambda: interventions.shapley(dict.fromkeys(ARCHITECTURES[:4], SHAPLEY), target="rock", **ABOUT),
    "shapley, one": lambda: interventions.shapley({"bn_5x5": SHAPLEY}, target="rock", **ABOUT),
    "evidence": lambda: evidence.saliency_maps(LOOKED, FORM, "brazilian_funk", **ABOUT),
    "by_artists": lambda: artists.by_artists([10.0, 40.0, 80.0], CURVES, **ABOUT),
    "risk_coverage": lambda: selective.risk_coverage(*RISK, [(0.2, 0.5), (0.3, 1.0)], **ABOUT),
    "source, one": lambda: confounding.source(CONFOUNDING | {"families": 1}, ARCHITECTURES, **ABOUT),
}


@pytest.fixture(scope="module")
def drawn() -> dict[str, Figure]:
    """One of each; no test changes them."""
    return {name: draw() for name, draw in DRAWN.items()}


def named(figure: Artist, gid: str) -> list:
    """The artists of this name, in the order in which they were drawn."""
    return figure.findobj(lambda artist: artist.get_gid() == gid)


def texts(figure: Figure, gid: str) -> list[str]:
    return [text.get_text() for text in named(figure, gid)]


def intervals(figure: Artist) -> list[np.ndarray]:
    """End points, (2, 2) each."""
    return [segment for lines in named(figure, "interval") for segment in lines.get_segments()]


def overlapping(artists: list[Text]) -> list[tuple[str, str]]:
    boxes = [(text.get_text(), text.get_window_extent()) for text in artists if text.get_text()]
    return [(a, b) for (a, one), (b, other) in itertools.combinations(boxes, 2) if one.overlaps(other)]


# ── All of them ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", DRAWN)
def test_title_and_note_stand_at_the_top_and_nothing_is_cut_off(name, drawn):
    figure = drawn[name]
    assert texts(figure, "title") == ["A title"]
    assert texts(figure, "note") == ["demo (synthetic music), artist split"]
    box = figure.get_tightbbox()  # inches, of all that is seen
    width, height = figure.get_size_inches()
    assert 0 <= box.x0 < box.x1 <= width
    assert 0 <= box.y0 < box.y1 <= height
    heading = named(figure, "title") + named(figure, "note")
    assert overlapping(heading) == []
    assert all(axes.get_window_extent().y1 < heading[1].get_window_extent().y0 for axes in figure.axes)


@pytest.mark.parametrize("name", ["confusion_matrix", "accuracy_against_cost", "leaderboard"])
def test_equal_data_give_equal_bytes_whatever_matplotlibrc_says(name, drawn, tmp_path):
    style.save(drawn[name], tmp_path / "one.png")
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red", "savefig.dpi": 30, "xtick.labelsize": 3}):
        style.save(DRAWN[name](), tmp_path / "plots" / "other.png")
        assert matplotlib.rcParams["font.size"] == 20
    one, other = (tmp_path / "one.png").read_bytes(), (tmp_path / "plots" / "other.png").read_bytes()
    assert one.startswith(b"\x89PNG")
    assert one == other
    assert b"Software" not in one
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["one.png"]


def test_importing_and_drawing_neither_choose_a_backend_nor_import_pyplot(monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)
    code = (
        "import matplotlib, sys; from genres.figures import model;"
        "model.confusion_matrix([[1, 0], [0, 1]], ['a', 'b'], title='', note='');"
        "assert matplotlib.get_backend(auto_select=False) is None; assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_leaky_note_is_in_the_colour_of_warnings_and_a_long_one_is_wrapped():
    note = "emotify, clip split: LEAKY, clips of one song are in train and test, so that this accuracy is no accuracy"
    figure = model.confusion_matrix([[3, 1], [0, 2]], ["vocal", "instrumental"], title="A title", note=note)
    (text,) = named(figure, "note")
    assert text.get_color() == style.VERMILION
    assert text.get_text().count("\n") >= 1
    assert text.get_text().replace("\n", " ") == note


# ── Each ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("genres", [2, 11, 15])
def test_confusion_matrix_shows_the_counts_and_the_shares_of_each_row(genres):
    counts = counts_of(genres)
    figure = confusion_of(genres)
    assert [int(text) for text in texts(figure, "count")] == counts.ravel().tolist()
    places = [text.get_position() for text in named(figure, "count")]
    assert [(round(y), round(x)) for x, y in places] == list(np.ndindex(genres, genres))  # rows true, from the top
    shares = [100 * count / row.sum() for row in counts for count in row if count]
    assert texts(figure, "share") == [f"{share:.0f} %" for share in shares]
    (image,) = figure.axes[0].images
    assert np.isfinite(image.get_array()).all()
    assert np.asarray(image.get_array()).sum(axis=1) == pytest.approx([1] * (genres - 1) + [0])


@pytest.mark.parametrize("genres", [2, 11, 15])
def test_confusion_matrix_labels_read_well_and_do_not_overlap(genres):
    figure = confusion_of(genres)
    axes = figure.axes[0]
    labels = [*axes.get_xticklabels(), *axes.get_yticklabels()]
    names = [genre.replace("_", " ") for genre in GENRES[:genres]]
    assert [label.get_text().replace("\n", " ") for label in labels] == names * 2
    assert overlapping([*labels, axes.xaxis.label, axes.yaxis.label]) == []
    assert overlapping(named(figure, "count") + named(figure, "share")) == []


def test_any_genre_name_draws(capsys):
    names = ["_unsorted", "__", "hip__hop", "rock ", " ", "$", "a\nb", "x" * 255, "%s {}", "Ελληνικά"]
    counts = np.eye(len(names), dtype=int)
    figure = model.confusion_matrix(counts, names, **ABOUT)
    assert len(named(figure, "count")) == len(names) ** 2
    of_genre = {"asked": 2, "got": 1, "minutes": 1.0, "sources": {"_x": 1}, "rejected": {"_y": 1}}
    coverage.coverage(dict.fromkeys(names, of_genre), **ABOUT)
    comparison.per_genre_recall(names, {"baseline": [0.5] * len(names)}, **ABOUT)
    assert "cannot be drawn" not in capsys.readouterr().err


def test_genre_names_are_no_formulas():
    figure = model.confusion_matrix([[1, 0], [0, 1]], ["a$$ap $x^2$", "b%"], **ABOUT)
    label = figure.axes[0].get_yticklabels()[0]
    assert label.get_text() == "a$$ap $x^2$"
    assert not label.get_parse_math()


def test_letters_that_no_font_has_are_one_line(tmp_path, capfd):
    style._say_once.cache_clear()
    for name in ("one", "two"):
        style.save(model.confusion_matrix([[1, 0], [0, 1]], ["pop", "\ue123"], **ABOUT), tmp_path / f"{name}.png")
    assert capfd.readouterr().err.startswith("warning: no font for '\ue123' in pictures")


def test_risk_against_coverage_is_drawn_as_given(drawn):
    figure = drawn["risk_coverage"]
    for gid, values in (("wrong", RISK[1]), ("bound", RISK[2])):
        (line,) = named(figure, gid)
        assert list(line.get_xdata()) == RISK[0] and list(line.get_ydata()) == values
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in named(figure, "promise")] == [(0.5, 0.2), (1.0, 0.3)]
    assert texts(figure, "label") == ["50 %", "100 %"]


def test_reliability_plot_draws_the_filled_bins_and_their_gaps(drawn):
    figure = drawn["reliability_plot"]
    (points,) = named(figure, "points")
    assert points.get_xdata() == pytest.approx([0.4, 0.9])
    assert points.get_ydata() == pytest.approx([0.5, 0.6])
    assert [bar.get_height() for bar in figure.axes[1].patches] == [0, 10, 30]
    spans = sorted((bar.get_y(), bar.get_y() + bar.get_height()) for bar in figure.axes[0].patches if bar.get_y())
    assert spans == [pytest.approx((0.5, 0.4)), pytest.approx((0.6, 0.9))]  # from accuracy to confidence
    assert "0.250 over 40 tracks" in figure.axes[0].get_title(loc="left")


def test_learning_curves_draw_the_history_and_mark_the_kept_epoch(drawn):
    figure = drawn["learning_curves"]
    assert len(figure.axes) == 3
    for key, values in HISTORY.items():
        (line,) = named(figure, key)
        assert list(line.get_xdata()) == [1, 2, 3]
        assert list(line.get_ydata()) == values
    assert [line.get_xdata()[0] for line in named(figure, "best")] == [2, 2, 2]
    assert [line.get_ydata()[0] for line in named(figure, "kept")] == [1.3, 0.55]


def test_learning_curves_of_one_epoch_without_learning_rate():
    history = {key: values[:1] for key, values in HISTORY.items() if key != "learning_rate"}
    figure = model.learning_curves(history, best_epoch=1, **ABOUT)
    assert len(figure.axes) == 2
    assert named(figure, "val_loss")[0].get_marker() == "o"  # a line of one point would not be seen
    assert [tick for tick in figure.axes[0].get_xticks() if 0.5 <= tick <= 1.5] == [1]


@pytest.mark.parametrize("epoch", [0, 4])
def test_an_error_is_a_warning_and_a_picture_that_says_so(epoch, capsys, tmp_path):
    figure = model.learning_curves(HISTORY, best_epoch=epoch, **ABOUT)
    assert (
        f"warning: a picture cannot be drawn: learning_curves: ValueError: best_epoch must be 1 to 3; received {epoch}"
        in (capsys.readouterr().err)
    )
    assert texts(figure, "title") == ["learning_curves: cannot be drawn"]
    style.save(figure, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000


def test_leaderboard_draws_accuracies_intervals_and_chance(drawn):
    figure, rows = drawn["leaderboard"], rows_of(8)
    ends = [(row["track_accuracy_ci95_low"], row["track_accuracy_ci95_high"]) for row in rows]
    assert [tuple(segment[:, 0]) for segment in intervals(figure)] == ends
    assert [segment[0, 1] for segment in intervals(figure)] == list(range(8))
    axes = figure.axes[0]
    assert axes.yaxis_inverted()  # the first row on top
    assert [label.get_text() for label in axes.get_yticklabels()] == ARCHITECTURES
    assert [dot.get_xdata()[0] for dot in named(figure, "test")] == [row["track_accuracy"] for row in rows]
    hollow = named(figure, "validation")
    assert [mark.get_xdata()[0] for mark in hollow] == [row["val_track_accuracy"] for row in rows]
    assert {mark.get_markerfacecolor() for mark in hollow} == {"white"}
    assert named(figure, "chance")[0].get_xdata()[0] == 1 / 11
    assert axes.get_xlim()[0] < 1 / 11
    assert texts(figure, "beside")[:6] == ["80.0 % [71, 88]", "30 k", "40 s", "77.0 % [68, 85]", "60 k", "1.1 min"]
    assert texts(figure, "beside")[8] == "n/a"  # the ensemble's time
    assert overlapping(named(figure, "beside")) == []


def test_leaderboard_of_one_perfect_row_with_nothing_else_known():
    row = {"arch": "mlp", "track_accuracy": 1.0, "track_accuracy_ci95_low": 1.0, "track_accuracy_ci95_high": 1.0}
    figure = comparison.leaderboard([row | {"seconds": math.nan}], **ABOUT)
    assert texts(figure, "beside") == ["100.0 % [100, 100]", "n/a", "n/a"]
    assert named(figure, "validation") == named(figure, "chance") == []


@pytest.mark.parametrize("crowded", [False, True])
def test_cost_draws_what_has_a_cost_and_labels_keep_clear_of_each_other(crowded):
    rows = rows_of(8)
    counted = [row for row in rows if row["arch"] != "ensemble"]
    for i, row in enumerate(counted):
        if crowded:
            row |= {"seconds": 100.0 + i % 2, "multiply_adds": 10**7 + i}
    figure = comparison.accuracy_against_cost(rows, **ABOUT)
    ends = [(row["track_accuracy_ci95_low"], row["track_accuracy_ci95_high"]) for row in counted]
    for panel, cost in zip(figure.axes, ("seconds", "multiply_adds"), strict=True):
        (dots,) = named(panel, "test")
        assert dots.get_offsets().tolist() == [[row[cost], row["track_accuracy"]] for row in counted]
        assert sorted(dots.get_sizes()) == list(dots.get_sizes())  # as the parameters are
        assert [tuple(segment[:, 1]) for segment in intervals(panel)] == ends
        labels = named(panel, "label")
        assert [label.get_text().split("\n")[0] for label in labels] == [row["arch"] for row in counted]
        assert overlapping(labels) == []
        frame = panel.get_window_extent()
        assert all(frame.containsx(x) for label in labels for x in label.get_window_extent().intervalx)
        low, high = panel.get_xlim()
        shown = [label for label in panel.get_xticklabels() if low <= label.get_position()[0] <= high]
        assert 2 <= len(shown) <= 9
        assert overlapping(shown) == []


def test_cost_that_is_not_known_is_said_to_be():
    rows = [row | {"seconds": None, "multiply_adds": None} for row in rows_of(2)]
    figure = comparison.accuracy_against_cost(rows, **ABOUT)
    said = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert said == ["no training time is known", "no multiply-adds a clip is known"]


def test_recall_shows_every_architecture_and_genre():
    recall = {arch: np.random.default_rng(i).random(15) for i, arch in enumerate(ARCHITECTURES[:3])}
    figure = comparison.per_genre_recall(GENRES, recall, **ABOUT)
    assert texts(figure, "share") == [f"{100 * value:.0f}" for values in recall.values() for value in values]
    labels = [*figure.axes[0].get_xticklabels(), *figure.axes[0].get_yticklabels()]
    assert overlapping(labels) == []
    assert [label.get_text() for label in labels[15:]] == ARCHITECTURES[:3]


def test_recall_that_is_not_known_is_said_to_be(drawn):
    assert texts(drawn["per_genre_recall"], "share") == ["0", "50", "n/a"]


def test_leak_draws_each_protocol_with_its_interval_and_names_the_leaky_one(drawn):
    figure = drawn["leak"]
    ends = [(row["track_accuracy_ci95_low"], row["track_accuracy_ci95_high"]) for row in LEAK]
    assert [tuple(segment[:, 0]) for segment in intervals(figure)] == ends
    heights = [segment[0, 1] for segment in intervals(figure)]
    assert heights == sorted(set(heights))  # a place of its own for each, grouped by architecture
    assert [round(height) for height in heights] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [mark.get_xdata()[0] for mark in named(figure, "track")] == [row["track_accuracy"] for row in LEAK]
    assert [mark.get_xdata()[0] for mark in named(figure, "clip")] == [row["clip_accuracy"] for row in LEAK]
    assert {mark.get_markerfacecolor() for mark in named(figure, "clip")} == {"white"}
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["clip split (leaky)", "track split", "artist split"]


def test_leak_takes_missing_combinations():
    figure = comparison.leak([LEAK[0], LEAK[5]], **ABOUT)
    assert len(intervals(figure)) == 2


def test_source_draws_what_is_known(drawn):
    figure = drawn["source"]
    assert texts(figure, "part") == [confounding.RECOGNISED, confounding.GENRE, confounding.TRANSFER]
    values = [0.98, 0.8, 0.1, 0.27, *(0.5 + 0.05 * number for number in range(8)), 0.7]
    assert [line.get_xdata()[0] for line in named(figure, "value")] == pytest.approx(values)
    assert [line.get_xdata()[0] for line in named(figure, "chance")] == pytest.approx([1 / 3] * 3)
    assert [line.get_xdata()[0] for line in named(figure, "within")] == pytest.approx([v + 0.1 for v in values[4:12]])
    np.testing.assert_allclose(intervals(figure)[1][:, 0], [0.75, 0.82])
    assert texts(figure, "beside")[4] == "50 % → 60 %"
    (axes,) = figure.axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[:2] == ["all tracks", "within a genre (4 in several sources)"]
    assert labels[4:12] == ARCHITECTURES
    assert overlapping(named(figure, "part") + axes.get_yticklabels() + named(figure, "beside")) == []


def test_source_of_one_family_says_that_there_is_nothing_to_control(drawn):
    assert texts(drawn["source, one"], "none") == ["one source: nothing to control"]


def test_a_pair_is_drawn_over_the_same_seconds_and_as_slopes(drawn):
    original, slopes, changed = drawn["remix pair"].axes
    assert original.get_xlim() == changed.get_xlim() == (0, 30)
    for axes, song in ((original, PAIRS[0].original), (changed, PAIRS[0].remix)):
        floor = 0.0
        for genre in PALETTE:  # stacked in its order
            (area,) = named(axes, genre)
            left = [y for x, y in area.get_paths()[0].vertices if x == 0]  # the first window's left edge
            top = floor + song.windows[0][GENRES.index(genre)]
            assert (min(left), max(left)) == pytest.approx((floor, top))
            floor = top
    ends = {tuple(line.get_ydata()) for line in named(slopes, "slope")}
    assert ends == set(zip(PAIRS[0].original.whole, PAIRS[0].remix.whole, strict=True))
    assert overlapping(named(slopes, "label")) == []
    funk = PAIRS[0].remix.whole[GENRES.index("brazilian_funk")]
    assert f"{percent(funk)}  brazilian funk" in texts(slopes, "label")


@pytest.mark.parametrize("values", [[0.9, 0.05, 0.04], [0.5, 0.49, 0.48, 0.02, 0.01], [0.0, 0.0, 0.0], [0.3], []])
def test_labels_keep_apart_in_order_and_above_zero(values):
    places = remix.spread(values, 0.05)
    assert len(places) == len(values)
    assert all(above - below >= 0.05 - 1e-9 for above, below in itertools.pairwise(places))
    assert all(place >= -1e-9 for place in places)
    if len(values) == 3 and values[0] == 0.9:
        assert places[0] == 0.9


def test_the_overview_shows_every_shift_and_every_distance(drawn):
    left, right = drawn["remix overview"].axes
    tested = pairs.shifts(HEARD, GENRES)
    assert [dot.get_xdata()[0] for dot in named(left, "difference")] == tested["shift"].tolist()
    assert texts(left, "beside")[0] == f"p = {tested['p_holm'][0]:.2g}"
    strips = [sorted(line.get_xdata()) for line in named(right, "pair")]
    expected = ["distance", "distance_same_genre", "distance_halves"]
    assert strips == [pytest.approx(sorted(HEARD[column])) for column in expected]
    assert texts(right, "mean value") == [f"{HEARD[column].mean():.2f}" for column in expected]
    assert overlapping([*left.get_yticklabels(), *named(left, "beside"), *right.get_yticklabels()]) == []


def test_evidence_is_red_for_and_blue_against_on_one_scale(drawn):
    images = [np.asarray(image.get_array()) for image in named(drawn["evidence"], "evidence")]
    for image, part in zip(images, LOOKED, strict=True):
        is_red = image[..., 0] > image[..., 2]
        np.testing.assert_array_equal(is_red, part.saliency.T > 0)
    assert images[1][..., 3].max() == pytest.approx(evidence.OPACITY)
    assert images[0][..., 3].max() < 0.75 * evidence.OPACITY  # its evidence is half as strong
    labels = [label for axes in drawn["evidence"].axes for label in axes.get_yticklabels()]
    assert overlapping(labels) == []


@pytest.mark.parametrize(
    ("number", "shown"),
    [(7, "7"), (999, "999"), (12_345, "12.3 k"), (999_900, "1e+03 k"), (2_500_000, "2.5 M"), (4e9, "4 G")],
)
def test_amounts(number, shown):
    assert amount(number) == shown.replace("1e+03", "1000")


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.5, "0.5 s"), (42.4, "42 s"), (60, "1 min"), (4000, "1.1 h"), (90_000, "1 d")]
)
def test_durations(seconds, shown):
    assert duration(seconds) == shown


def test_ranks_are_drawn_best_first_with_half_a_critical_difference_to_both_sides():
    panel = {"names": ["one", "two", "three"], "means": [2.9, 1.0, 2.1], "critical_difference": 1.5, "p": 1e-9}
    panels = [panel | {"protocol": protocol, "repetitions": 5} for protocol in ("clip", "artist")]
    figure = ranks.ranks(panels, **ABOUT)
    for axes, name in zip(figure.axes, ("clip split (leaky)", "artist split"), strict=True):
        assert [label.get_text() for label in axes.get_yticklabels()] == ["two", "three", "one"]
        assert [line.get_xdata()[0] for line in named(axes, "rank")] == [1.0, 2.1, 2.9]
        ends = [tuple(line.get_segments()[0][:, 0]) for line in named(axes, "reach")]
        np.testing.assert_allclose(ends, [(0.25, 1.75), (1.35, 2.85), (2.15, 3.65)])
        assert [text.get_text() for text in named(axes, "beside")] == ["1.00", "2.10", "2.90 *"]
        title = axes.get_title(loc="left")
        assert title == f"{name}: critical difference 1.50 over 5 repetitions; all equal: p < 0.001"


def test_the_curve_of_artists_has_intervals_on_a_logarithmic_axis_and_a_band_beyond_the_last_size(drawn):
    (axes,) = drawn["by_artists"].axes
    assert axes.get_xscale() == "log"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["10", "40", "80", "160"]
    assert [ends[:, 1].tolist() for ends in intervals(drawn["by_artists"])] == [
        [low, high] for curve in CURVES for low, high in zip(curve.low, curve.high, strict=True)
    ]
    (band,) = named(axes, "band")
    assert band.get_paths()[0].vertices[:, 0].max() == 160
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["bn_5x5", "transfer, pretrained (MSD)"]


def test_curves_over_the_dose_are_drawn_as_given(drawn):
    figure = drawn["doses"]
    assert [axes.get_title(loc="left") for axes in figure.axes[:5]] == ARCHITECTURES[:5]
    for line in interventions.LINES:
        curve = DOSED[DOSED["ingredient"] == line]
        found = named(figure, line)
        assert len(found) == 5
        for one in found:
            assert list(one.get_xdata()) == curve["dose"].tolist()
            assert list(one.get_ydata()) == curve["probability"].tolist()
    labels = [axes.xaxis.label for axes in figure.axes] + figure.legends[0].get_texts()
    assert overlapping(labels) == []


def test_shapley_values_have_one_scale_and_a_share_where_it_is_known(drawn):
    figure = drawn["shapley"]
    assert [list(dot.get_xdata()) for dot in named(figure, "difference")] == [[-0.1], [0.5], [0.0]] * 4
    assert texts(figure, "beside") == ["-25 %", "125 %", ""] * 4
    assert len({axes.get_xlim() for axes in figure.axes}) == 1
    ends = [segment[:, 0].tolist() for segment in intervals(figure)][:3]
    assert ends == [[-0.2, -0.05], [0.3, 0.6], [-1.0, 1.0]]
