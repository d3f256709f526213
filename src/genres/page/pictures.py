"""How the page shows what was heard: HTML and SVG that take the page's colours, light and dark.

Everything that comes from a visitor (names of files) or from a data set (genres) is escaped.
"""

import base64
import io
from html import escape
from urllib.parse import quote

import numpy as np

from genres.core.text import percent, shown, whose
from genres.inference.answer import clock
from genres.page.listening import Heard

# Rows of a timeline, and columns of a spectrogram: a page is about that wide.
_ROWS, _COLUMNS = 6, 900

# Marks on the spectrogram, in Hz, as far as a format has them.
_HERTZ = (250, 1000, 4000)

# Squares that nobody would see are left out.
_LEAST_SHARE = 0.03


def message(text: str, kind: str = "trouble") -> str:
    """A line for the visitor; `kind` is trouble or hint."""
    return f'<p class="message {kind}" role="{"alert" if kind == "trouble" else "status"}">{escape(text)}</p>'


def song(heard: Heard, name: str, source: str, *, rows: list[str] | None = None, longest_s: float | None = None) -> str:
    """A song: the verdict, a player, and in step with it waveform, spectrogram and genres over time.

    Parameters
    ----------
    heard : Heard
    name : str
        Of the song.
    source : str
        Address of the audio.
    rows : list of str or None
        Genres of the timeline; by default the most probable ones.
    longest_s : float or None
        What the whole width stands for, where songs are shown one above the other; by default the song.
    """
    rows = rows or list(heard.mean)[:_ROWS]
    width = 100 * heard.seconds / (longest_s or heard.seconds)
    lanes = [("waveform", "wave", waveform(heard.outline)), ("mel spectrogram", "mel", spectrogram(heard))]
    for genre in rows:
        lanes.append((f"{escape(shown(genre))} <b>{_percent(heard.mean[genre])}</b>", "row", timeline(heard, genre)))
    lanes.append(("", "axis", axis(heard.seconds, longest_s)))
    body = "".join(
        f'<div class="label" style="grid-row: {row}">{label}</div>'
        f'<div class="lane {kind}" style="grid-row: {row}"><div class="part">{drawn}</div></div>'
        for row, (label, kind, drawn) in enumerate(lanes, start=1)
    )
    return f"""
<section class="song" data-seconds="{heard.seconds:.3f}">
  {verdict(heard, name)}
  <audio controls preload="metadata" src="{escape(source)}"></audio>
  <p class="message hint unplayable" hidden>This browser cannot play the format of this file; all else works.</p>
  <div class="lanes" style="--width: {width:.3f}%; --count: {len(lanes) - 1}">
    {body}
    <div class="over"><div class="part" role="slider" tabindex="0" aria-label="place in the song" aria-valuemin="0"
      aria-valuemax="{heard.seconds:.1f}" aria-valuenow="0"><div class="cursor"></div></div></div>
  </div>
</section>"""


def verdict(heard: Heard, name: str) -> str:
    """The most probable genre, of which song, and who says so."""
    card = heard.card
    told = f"{escape(card['architecture'])}, trained on {escape(whose(card['dataset'], card['protocol']))}"
    warning = message(f"{heard.warning[0].upper()}{heard.warning[1:]}.", "hint") if heard.warning else ""
    return f"""<header class="verdict">
  <p class="name">{escape(name)}</p>
  <p class="genre">{escape(shown(heard.genre))} <span>{_percent(heard.mean[heard.genre])}</span></p>
  <p class="by">{told}</p>
</header>{warning}"""


def waveform(outline: np.ndarray) -> str:
    """The outline of a song, as high as there is room."""
    loudest = float(np.abs(outline).max(initial=0)) or 1.0
    upper = [f"{x},{-high / loudest:.3f}" for x, (_, high) in enumerate(outline)]
    lower = [f"{x},{-low / loudest:.3f}" for x, (low, _) in enumerate(outline)]
    points = " ".join(upper + lower[::-1])
    return (
        f'<svg viewBox="0 -1 {max(1, len(outline) - 1)} 2" preserveAspectRatio="none" role="img" '
        f'aria-label="waveform"><polygon points="{points}"/></svg>'
    )


def spectrogram(heard: Heard) -> str:
    """The mel spectrogram as a picture, with some frequencies marked."""
    from matplotlib import image

    starts = np.unique(np.linspace(0, len(heard.spectrogram), _COLUMNS, endpoint=False).astype(int))
    means = np.add.reduceat(heard.spectrogram.astype(np.float32), starts, axis=0)
    means /= np.diff([*starts, len(heard.spectrogram)])[:, np.newaxis]
    drawn = io.BytesIO()
    image.imsave(drawn, means.T, cmap="magma", vmin=0, vmax=255, origin="lower", format="png")
    centres = heard.form.band_centres()
    marks = "".join(
        f'<span class="hertz" style="bottom: {100 * np.interp(hz, centres, np.linspace(0, 1, len(centres))):.1f}%">'
        f"{f'{hz // 1000} k' if hz >= 1000 else f'{hz} '}Hz</span>"
        for hz in _HERTZ
        if centres[0] < hz < centres[-1]
    )
    return f"{picture(drawn.getvalue(), 'mel spectrogram')}{marks}"


def picture(png: bytes, description: str) -> str:
    """A PNG inside of the page, so that no other file need be served."""
    data = base64.b64encode(png).decode()
    return f'<img src="data:image/png;base64,{data}" alt="{escape(description)}">'


def timeline(heard: Heard, genre: str) -> str:
    """One genre over time: a square a window, the more opaque the more probable."""
    found = heard.timeline
    shares = found.probabilities[:, heard.genres.index(genre)]
    # Where windows overlap, each is drawn up to the start of the next.
    ends = [*found.start_s[1:], heard.seconds]
    squares = "".join(
        f'<rect x="{start:.3f}" width="{end - start:.3f}" height="1" fill-opacity="{share:.3f}">'
        f"<title>{clock(start)} to {clock(end)}: {escape(shown(genre))} {_percent(share)}</title></rect>"
        for start, end, share in zip(found.start_s, ends, shares, strict=True)
        if share >= _LEAST_SHARE
    )
    return f'<svg viewBox="0 0 {heard.seconds:.3f} 1" preserveAspectRatio="none">{squares}</svg>'


def axis(seconds: float, longest_s: float | None = None) -> str:
    """Times below the lanes, five to ten of them."""
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300)
    step = next((step for step in steps if (longest_s or seconds) / step <= 6), steps[-1])
    places = np.arange(0, seconds - 0.03 * (longest_s or seconds) if seconds > step else seconds, step)
    return "".join(f'<span style="left: {100 * at / seconds:.2f}%">{clock(at)}</span>' for at in places)


def bars(heard: Heard) -> str:
    """The mean over the song, a bar a genre."""
    rows = "".join(
        f'<div class="label">{escape(shown(genre))}</div>'
        f'<div class="bar"><div style="width: {100 * share:.2f}%"></div></div>'
        f'<div class="value">{_percent(share)}</div>'
        for genre, share in heard.mean.items()
    )
    return f'<section class="bars"><h3>The whole song</h3><div class="grid">{rows}</div></section>'


def difference(before: Heard, after: Heard) -> str:
    """What changed from one version to the other: a bar a genre, to the left less, to the right more probable."""
    change = {genre: after.mean.get(genre, 0.0) - share for genre, share in before.mean.items()}
    ordered = sorted(change, key=lambda genre: -change[genre])
    most = max(max(map(abs, change.values())), 0.01)
    rows = "".join(
        f'<div class="label">{escape(shown(genre))}</div>'
        f'<div class="bar both {"more" if change[genre] > 0 else "less"}">'
        f'<div style="width: {50 * abs(change[genre]) / most:.2f}%"></div></div>'
        f'<div class="value">{_percent(before.mean[genre])} → {_percent(after.mean[genre])}</div>'
        for genre in ordered
    )
    if before.genre == after.genre:
        headline = f"Both sound like {shown(after.genre)}"
    else:
        headline = f"From {shown(before.genre)} to {shown(after.genre)}"
    up, down = ordered[0], ordered[-1]
    told = f"{shown(up)} {_points(change[up])}, {shown(down)} {_points(change[down])}"
    return (
        f'<section class="bars change"><h3>{escape(headline)}</h3><p class="by">{escape(told)}</p>'
        f'<div class="grid">{rows}</div></section>'
    )


def _percent(share: float) -> str:
    return percent(share).replace(" ", "\N{NO-BREAK SPACE}")


def _points(change: float) -> str:
    return f"{100 * change:+.0f} points".replace("-", "−")


def address(file: str) -> str:
    """Where the page finds an audio file."""
    return f"gradio_api/file={quote(file)}"
