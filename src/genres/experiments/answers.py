"""Read another tagger's answers: its songs and genres by the names of the data set."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from genres.audio.walk import EXTENSIONS
from genres.core.console import UserError, warn
from genres.core.names import path_key, same_text
from genres.core.tables import decimal, read_user_table

SONGS = ("track_id", "path", "file", "filename")
LABELS = ("predicted", "genre")  # a table with both has the truth in the second
# Columns of a table of answers that are neither songs nor probabilities.
_OTHERS = (*SONGS, *LABELS, "fold", "artist", "title", "album")
NONE_OF_OURS = ""
_SHOWN = 12  # names of a message


def read(path: Path) -> pd.DataFrame:
    """Read a table with a row a song, or the JSON (or JSON lines) of `genres predict --json`.

    Returns
    -------
    pd.DataFrame
        song, label (if there is such a column), and the columns of numbers, by the tagger's own names.

    Raises
    ------
    UserError
        If it is neither, or a probability is no number from 0.
    """
    table = _from_json(path) if path.suffix.lower() in (".json", ".jsonl") else read_user_table(path)
    song = next((name for name in SONGS if name in table), None)
    if table.empty:
        raise UserError(f"{path}: has no row; write one for each song")
    if song is None:
        raise UserError(f"{path}: has no column of the songs; name it {' or '.join(SONGS)}")
    label = next((name for name in LABELS if name in table), None)
    result = {"song": table[song]} | ({"label": table[label]} if label else {})
    for name in map(str, table.columns):
        values = table[name].map(_number)
        if name in _OTHERS or values.notna().mean() < 0.5:
            continue
        if not (usable := values.between(0, np.inf, inclusive="left")).all():
            raise UserError(
                f"{path}: column '{name}', song {table[song][~usable].iloc[0]}: a probability is a number from 0; "
                f"received '{table[name][~usable].iloc[0]}'"
            )
        result[name] = values
    if len(result) == 1:
        raise UserError(f"{path}: has neither a column 'genre' nor a probability column (numbers) for each genre")
    return pd.DataFrame(result)


def _number(value: Any) -> float:
    try:
        return decimal(value) if isinstance(value, str) else float(value)
    except (TypeError, ValueError):  # a part of a JSON file that is no number
        return float("nan")


def _from_json(path: Path) -> pd.DataFrame:
    try:
        text = path.read_text(encoding="utf-8")
        try:
            values = json.loads(text)
        except ValueError:
            values = [json.loads(line) for line in text.splitlines() if line.strip()]
        rows = values if isinstance(values, list) else [values]
        songs = [
            {"file": str(row["file"]), "genre": str(row.get("genre") or ""), **(row.get("probabilities") or {})}
            for row in rows
        ]
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"{path}: not the output of `genres predict --json` ({type(error).__name__}: {error})"
        ) from None
    return pd.DataFrame(songs)


def read_mapping(path: Path, genres: Sequence[str]) -> dict[str, str]:
    """Read a table with the columns theirs and ours: from the key of a name to one of `genres`, or to none (empty)."""
    table = read_user_table(path, ("theirs", "ours"))
    ours = {_key(genre): genre for genre in genres} | {_key(NONE_OF_OURS): NONE_OF_OURS}
    if unknown := [name for name in table["ours"] if _key(name) not in ours]:
        raise UserError(f"{path}: column 'ours' has '{unknown[0]}', which is none of {', '.join(genres)}")
    return {_key(row["theirs"]): ours[_key(row["ours"])] for row in table.to_dict("records")}


def translated(answers: pd.DataFrame, genres: Sequence[str], mapping: Mapping[str, str] | None) -> pd.DataFrame:
    """Return the answers by the data set's names: song, predicted, and for probabilities a column a genre.

    The probabilities of several names of one genre are added, and the rows are divided by their sums. Labels are used
    if fewer than two columns of numbers are of known names. `predicted` is empty where the answer is none of `genres`.

    Parameters
    ----------
    answers : pd.DataFrame
        As :func:`read` returns it.
    genres : sequence of str
    mapping : mapping or None
        As :func:`read_mapping` returns it. Equal names need none; case, blanks and signs do not count.

    Raises
    ------
    UserError
        If a name is neither a genre nor in the mapping. With a mapping, probabilities of such names are left out with a
        warning.
    """
    known = {_key(genre): genre for genre in genres} | dict(mapping or {})
    columns = [str(name) for name in answers if name not in ("song", "label")]
    of_labels = "label" in answers and sum(_key(name) in known for name in columns) < 2
    if of_labels:
        answers = answers[answers["label"] != ""]  # no answer
    theirs = sorted(set(answers["label"])) if of_labels else columns
    unknown = [name for name in theirs if _key(name) not in known]
    if unknown and (of_labels or mapping is None):
        raise UserError(
            f"genres of theirs that are none of {', '.join(genres)}: {_some(unknown)}; write a CSV file with the "
            f"columns theirs,ours and a row for each, such as '{unknown[0]},{genres[0]}' ('{unknown[0]},' for none of "
            "them), and name it by --mapping"
        )
    if of_labels:
        return pd.DataFrame({"song": answers["song"], "predicted": [known[_key(name)] for name in answers["label"]]})
    if unknown:
        warn(f"probabilities of names that are not in the mapping are left out: {_some(unknown)}")
    sums = np.zeros((len(answers), len(genres)))
    for name in theirs:
        if genre := known.get(_key(name)):
            sums[:, list(genres).index(genre)] += answers[name].to_numpy(dtype=float)
    totals = sums.sum(axis=1)
    if off := int((np.abs(totals - 1) > 0.01).sum()):
        warn(f"the probabilities of {off} of {len(sums)} songs do not sum to 1 over these genres: divided by their sum")
    none = totals == 0
    table = pd.DataFrame((sums + none[:, None]) / (totals + len(genres) * none)[:, None], columns=list(genres))
    predicted = np.where(none, NONE_OF_OURS, np.array(genres, dtype=object)[sums.argmax(axis=1)])
    return table.assign(song=answers["song"].to_numpy(), predicted=predicted)


def _key(name: str) -> str:
    return re.sub(r"[\W_]+", "", same_text(name))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f", … ({len(names)})" if len(names) > _SHOWN else "")


def matched(songs: Iterable[str], tracks: pd.DataFrame) -> list[str]:
    """Return the track id of each song; empty if it is no track of the data set.

    A song is a track id, or a path of which the end is a track's path below the data set's folder, or which is itself
    the end of one. The extension may be missing or another.

    Parameters
    ----------
    songs : iterable of str
    tracks : pd.DataFrame
        track_id, path.

    Raises
    ------
    UserError
        If a song may be several tracks.
    """
    own = set(tracks["track_id"])
    whole: dict[str, set[str]] = {}
    ends: dict[str, set[str]] = {}
    for row in tracks.to_dict("records"):
        for form in (row["track_id"], row["path"]):
            for name in {path_key(form), _bare(path_key(form))}:
                whole.setdefault(name, set()).add(row["track_id"])
                for end in _ends(name):
                    ends.setdefault(end, set()).add(row["track_id"])
    return [song if song in own else _match(song, whole, ends) for song in songs]


def _match(song: str, whole: Mapping[str, set[str]], ends: Mapping[str, set[str]]) -> str:
    for name in (path_key(song), _bare(path_key(song))):
        found = next((whole[end] for end in _ends(name) if end in whole), ends.get(name, set()))
        if len(found) == 1:
            return next(iter(found))
        if found:
            raise UserError(
                f"'{song}' may be {' or '.join(sorted(found)[:3])}: write the path below the data set's folder"
            )
    return ""


def _bare(name: str) -> str:
    return name.removesuffix(PurePosixPath(name).suffix) if name.endswith(EXTENSIONS) else name


def _ends(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[first:]) for first in range(len(parts))]
