"""The tab that reviews labels: it plays a song, shows its label and the network's, and writes down what is said.

Everything is read anew at each step, and what was said is on the disk before the next song is shown: several windows,
a reload and a killed page lose nothing.
"""

import secrets
import shutil
from html import escape
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import soundfile

from genres.audio.decode import AudioError, load
from genres.core import params
from genres.core.console import UserError
from genres.core.files import read_table
from genres.core.paths import TRACKS, raw_dir
from genres.core.text import display_name, percent
from genres.library import review_queue, reviews
from genres.library.audit_page import KINDS
from genres.library.review_queue import Queue, Suggestion
from genres.library.reviews import ACCEPT, CORRECT, SKIP, UNDO, Review, Song
from genres.page.pictures import address, message

NONE = "none of these genres"
CHOICES = 9  # genres with a key of their own
KEPT = 4  # songs that can be played, of as many windows
_BARS = 6
_RATE = 22050  # Hz, of songs in formats that browsers lack
_PLAYABLE = {".mp3", ".wav", ".flac", ".ogg", ".oga", ".opus", ".m4a", ".mp4", ".aac", ".webm"}
_EFFECT = {
    "train": "A training song: a correction enters the next training, by dvc repro.",
    "val": "A validation song: a correction is held apart, and changes no training.",
    "test": "A test song: a correction is held apart; the leaderboard counts it, and no score changes.",
    "": "A song of no fold: it is not used, whatever its label.",
}


class _State(NamedTuple):
    """Data set, folds, queue and log as they are on the disk."""

    queue: Queue
    songs: dict[str, Song]
    genres: list[str]
    about: dict[str, str]  # artist and title by track id
    folds: dict[str, str]
    log: list[Review]
    standing: dict[str, Review]


class Desk:
    """Reviews the data set of the working folder.

    Parameters
    ----------
    folder : Path
        Where songs are copied to be played; the page may serve it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def show(self) -> str:
        """Return the song that comes next, as HTML, or why there is none."""
        try:
            reviews.restore()
            return self._shown(_read(), None, "")
        except UserError as error:
            return message(str(error), "hint")

    def act(self, action: str, track_id: str, genre: str) -> str:
        """Write down what was said of a song, and return the next one; after an undo the one that it was said of.

        Parameters
        ----------
        action : str
            accept, correct, skip or undo.
        track_id : str
            The song that was shown.
        genre : str
            Of a correction; empty: none of the genres.
        """
        try:
            state = _read()
            if action == UNDO:
                return self._undone(state)
            song = state.songs.get(track_id)
            is_said = action in (ACCEPT, SKIP) or (action == CORRECT and genre in ("", *state.genres))
            if song is None or not is_said:
                raise UserError("The data set has changed: reload this page.")
            new = (genre or None) if action == CORRECT else song.label
            reviews.append(_review(state, song, action, new))
            said = {ACCEPT: f"kept as {_name(song.label)}", SKIP: "skipped"}.get(action, f"corrected to {_name(new)}")
            return self._shown(_with_log(state), None, f"{track_id}: {said}.")
        except UserError as error:
            return message(str(error))

    def _undone(self, state: _State) -> str:
        who, place = reviews.reviewer(), {id(review): number for number, review in enumerate(state.log)}
        own = [(place[id(review)], name) for name, review in state.standing.items() if review.who == who]
        if not own:
            return self._shown(state, None, "There is nothing to undo.")
        track_id = max(own)[1]
        song = state.songs[track_id]
        undo = _review(state, song, UNDO, song.label)
        before = reviews.standing([song], [*state.log, undo]).get(track_id)
        reviews.append(undo.model_copy(update={"genre": before.genre if before else song.label}))
        return self._shown(_with_log(state), track_id, f"{track_id}: undone.")

    def _shown(self, state: _State, track_id: str | None, said: str) -> str:
        suggestions = {each.track_id: each for each in state.queue.songs if each.track_id in state.songs}
        track_id = track_id if track_id in suggestions else _next(state, list(suggestions))
        if track_id is None:
            done = message(f"{said} All {len(suggestions)} songs are reviewed.", "hint")
            return f'<section class="review">{done}{_button(UNDO, "u", "Undo", "")}</section>'
        suggestion = suggestions[track_id]
        title = " – ".join(filter(None, state.about[track_id].split("\0")))
        is_uncertain = suggestion.kind == review_queue.UNCERTAIN
        group = [n for n, each in suggestions.items() if (each.kind == review_queue.UNCERTAIN) == is_uncertain]
        number = sum(name in state.standing for name in group)
        label = state.songs[track_id].label
        return (
            f'<section class="review" data-track="{escape(track_id)}">'
            f'<p class="by" role="status">{escape(said)}</p>'
            f'<p class="progress">{number} of {len(group)} {"uncertain songs" if is_uncertain else "suspects"}</p>'
            f'<p class="name">{escape(track_id)}</p><p class="by">{escape(title)}</p>'
            f"{self._player(state.songs[track_id])}"
            f'<p class="label">Label: <b>{escape(_name(label))}</b></p>'
            f'<p class="by why">Why it is here: {escape(_why(suggestion))}</p>'
            f"{_bars(suggestion, label)}"
            f'<p class="by">{escape(state.queue.about)}</p>'
            f'<p class="by fold">{escape(_EFFECT[state.folds.get(track_id, "")])}</p>'
            f"{_buttons(state, suggestion, label)}</section>"
        )

    def _player(self, song: Song) -> str:
        source = Path(raw_dir(song.dataset) / song.path)
        if not song.path or not source.is_file():
            return message(f"{source}: the file is not there, so that it cannot be played.", "hint")
        target = self.folder / secrets.token_urlsafe(16) / source.name
        target.parent.mkdir(parents=True)
        try:
            if source.suffix.lower() in _PLAYABLE:
                shutil.copyfile(source, target)
            else:
                target = target.with_name(f"{source.stem}.wav")
                soundfile.write(target, load(source, _RATE), _RATE)
        except AudioError as error:
            return message(f"{source}: {error}.", "hint")
        except OSError as error:
            return message(f"{source}: cannot be copied ({error.strerror}).", "hint")
        for old in sorted(self.folder.iterdir(), key=lambda each: each.stat().st_mtime_ns)[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
        return f'<audio controls autoplay src="{escape(address(str(target)))}"></audio>'


def _read() -> _State:
    """Read the data set, its folds, its queue and the log.

    Raises
    ------
    UserError
        If there is no data set, or no audit of it.
    """
    settings = params.load()
    tracks = read_table(raw_dir(settings.dataset) / "tracks.csv", dtype=str)
    queue = review_queue.read(review_queue.path_of(settings.dataset))
    songs = {song.track_id: song for song in reviews.songs_of(tracks, settings.dataset)}
    folds = read_table(TRACKS, dtype=str) if TRACKS.exists() else pd.DataFrame(columns=["track_id", "fold"])
    state = _State(
        queue,
        songs,
        sorted(set(tracks["genre"])),
        dict(zip(tracks["track_id"], tracks["artist"] + "\0" + tracks["title"], strict=True)),
        dict(zip(folds["track_id"], folds["fold"], strict=True)),
        [],
        {},
    )
    return _with_log(state)


def _with_log(state: _State) -> _State:
    """Return the state with the log as it is now."""
    log = reviews.read()
    return state._replace(log=log, standing=reviews.standing(state.songs.values(), log))


def _next(state: _State, names: list[str]) -> str | None:
    """Return the first song that is not reviewed; after these the one that was skipped the longest ago."""
    unseen = next((name for name in names if name not in state.standing), None)
    skipped = [name for name in names if name in state.standing and state.standing[name].action == SKIP]
    return unseen or min(skipped, key=lambda name: state.standing[name].when, default=None)


def _review(state: _State, song: Song, action: str, genre: str | None) -> Review:
    kinds = {each.track_id: each.kind for each in state.queue.songs}
    return Review.model_validate(
        {
            "when": reviews.now(),
            "who": reviews.reviewer(),
            "action": action,
            "from": song.label,
            "to": genre,
            "fold": state.folds.get(song.track_id, ""),
            "reason": kinds.get(song.track_id, ""),
            **{name: getattr(song, name) for name in ("dataset", "track_id", "sha256", "duration_s", "path")},
        }
    )


def _name(genre: str | None) -> str:
    return NONE if genre is None else display_name(genre)


def _why(suggestion: Suggestion) -> str:
    known = KINDS | {review_queue.UNCERTAIN: "the network is uncertain of it, and it is unlike the songs before"}
    return "; ".join(filter(None, [*(known[kind] for kind in suggestion.kind.split(", ")), suggestion.note]))


def _bars(suggestion: Suggestion, label: str) -> str:
    """Return the likeliest genres and the label with their probabilities."""
    shares = suggestion.probabilities
    if not shares:
        return '<p class="by">It was not predicted.</p>'
    shown = [*list(shares)[:_BARS], *([label] if label in list(shares)[_BARS:] else [])]
    rows = "".join(
        f'<div class="label">{escape(display_name(genre))}</div><div class="bar{" own" if genre == label else ""}">'
        f'<div style="width: {100 * shares[genre]:.1f}%"></div></div><div class="value">{percent(shares[genre])}</div>'
        for genre in shown
    )
    return f'<section class="bars"><div class="grid">{rows}</div></section>'


def _buttons(state: _State, suggestion: Suggestion, label: str) -> str:
    others = sorted(set(state.genres) - {label}, key=lambda genre: (-suggestion.probabilities.get(genre, 0.0), genre))
    keys = [str(number) if number <= CHOICES else "" for number in range(1, len(others) + 1)]
    choices = [_button(CORRECT, key, display_name(genre), genre) for key, genre in zip(keys, others, strict=True)]
    return (
        f'<div class="actions">{_button(ACCEPT, "a", f"Accept {_name(label)}", "")}'
        '<button type="button" data-key="c" class="correct"><kbd>c</kbd> Correct</button>'
        f"{_button(SKIP, 's', 'Skip', '')}{_button(UNDO, 'u', 'Undo', '')}</div>"
        f'<div class="choices"><p class="by">Correct: after c the number of the genre, or a click</p>'
        f"{''.join(choices)}{_button(CORRECT, '0', NONE, '')}</div>"
    )


def _button(action: str, key: str, text: str, genre: str) -> str:
    shown = f"<kbd>{key}</kbd> " if key else ""
    return (
        f'<button type="button" data-action="{action}" data-key="{key}" data-genre="{escape(genre)}">'
        f"{shown}{escape(text)}</button>"
    )
