"""The suspects of an audit as one page to listen to, without scripts and without anything from elsewhere."""

import math
import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from genres.core.text import display_name, percent
from genres.figures.style import BLUE, ORANGE
from genres.library.suspects import DUPLICATE, LABEL, OUTLIER

KINDS = {
    DUPLICATE: "duplicate with two labels",
    LABEL: "the predictions doubt the label",
    OUTLIER: "unlike all songs of other artists",
}

# Nothing is fetched but the songs, which are files.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; media-src file:"

_STYLE = f"""
:root {{ color-scheme: light dark; --line: #8884; --faint: #8883; }}
body {{ font: 15px/1.45 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; margin: 2em auto; max-width: 62em;
  padding: 0 1em; }}
h1 {{ font-size: 1.5em; }}
ol {{ list-style: none; padding: 0; }}
li {{ border-top: 1px solid var(--line); display: grid; gap: .2em 1.5em; padding: .9em 0;
  grid-template-columns: 2.5em minmax(0, 1fr) 20em; }}
.rank {{ font-size: 1.2em; font-weight: 600; grid-row: 1 / span 4; text-align: right; }}
.rank ~ * {{ grid-column: 2; }}
.song {{ font-weight: 600; overflow-wrap: anywhere; }}
.kind {{ font-size: .87em; opacity: .75; overflow-wrap: anywhere; }}
li > .genres {{ grid-column: 3; grid-row: 1 / span 4; }}
.genre {{ display: grid; gap: .6em; grid-template-columns: 5em minmax(0, 1fr) 3.2em; margin-bottom: .25em; }}
.genre > :first-child {{ font-size: .87em; opacity: .75; }}
.bar {{ background: var(--faint); border-radius: 3px; overflow: hidden; padding: 0 .5em; position: relative;
  overflow-wrap: anywhere; }}
.bar i {{ inset: 0 auto 0 0; opacity: .55; position: absolute; }}
.bar span {{ position: relative; }}
.label i {{ background: {ORANGE}; }}
.likelier i {{ background: {BLUE}; }}
.share {{ text-align: right; }}
audio {{ height: 2.3em; max-width: 100%; width: 26em; }}
@media (max-width: 48em) {{ li {{ grid-template-columns: 2em minmax(0, 1fr); }}
  li > .genres {{ grid-column: 2; grid-row: auto; }} }}
"""


def page(suspects: pd.DataFrame, facts: Sequence[str]) -> str:
    """Return the page.

    Parameters
    ----------
    suspects : pd.DataFrame
        As of :func:`genres.library.suspects.find`.
    facts : sequence of str
        Lines above the list.
    """
    songs = "\n".join(_song(row) for row in suspects.to_dict("records"))
    above = "".join(f"<p>{escape(line[:1].upper() + line[1:])}.</p>\n" for line in facts)
    body = f"<ol>\n{songs}\n</ol>" if songs else "<p>No label looks wrong.</p>"
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Labels that look wrong</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{_STYLE}</style>\n</head>\n<body>\n'
        f"<h1>Labels that look wrong</h1>\n{above}{body}\n</body>\n</html>\n"
    )


def _song(row: Mapping[Any, Any]) -> str:
    player = ""
    if row["file"] and os.path.isfile(row["file"]):  # noqa: PTH113 (Path.is_file raises for names that are too long)
        player = f'<audio controls preload="none" src="{escape(Path(row["file"]).as_uri())}"></audio>'
    kinds = "; ".join(filter(None, [*(KINDS[kind] for kind in row["kind"].split(", ")), row["note"]]))
    genres = "".join(
        _genre(name, row[name], row[f"probability_of_{name}"]) for name in ("label", "likelier") if row[name]
    )
    return (
        f'<li><div class="rank">{row["rank"]}</div><div class="song">{escape(row["track_id"])}</div>'
        f'<div class="genres">{genres}</div><div class="kind">{escape(kinds)}</div>{player}</li>'
    )


def _genre(name: str, genre: str, probability: float) -> str:
    share = "" if math.isnan(probability) else percent(probability)
    width = 0.0 if math.isnan(probability) else 100 * probability
    return (
        f'<div class="genre {name}"><span>{name}</span><div class="bar"><i style="width: {width:.1f}%"></i>'
        f'<span>{escape(display_name(genre))}</span></div><span class="share">{share}</span></div>'
    )
