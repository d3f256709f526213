"""HTML and SVG of predictions, in the page's colours, light and dark.

Everything that comes from a visitor (file names) or a data set (genres) is escaped.
"""

import base64
import io
from html import escape
from urllib.parse import quote

import numpy as np

from genres.core.text import dataset_note, display_name, percent
from genres.inference.answer import clock
from genres.page.listening import Prediction
from genres.page.remixing import Curve

# Rows of a timeline, and columns of a spectrogram, about the width of the page in pixels.
_ROWS, _COLUMNS = 6, 900

# Most genres of the list below; of the pretrained network's 50 tags most are near 0 %.
MOST_BARS = 14

# Marks on the spectrogram in Hz; those outside of the format's bands are left out.
_HERTZ = (250, 1000, 4000)

# Least probability of a rectangle that is drawn; fainter ones would be invisible.
_LEAST_SHARE = 0.03


def message(text: str, kind: str = "trouble") -> str:
    """Return a message for the visitor; `kind` is trouble or hint."""
    return f'<p class="message {kind}" role="{"alert" if kind == "trouble" else "status"}">{escape(text)}</p>'


def song(
    prediction: Prediction, name: str, source: str, *, rows: list[str] | None = None, longest_s: float | None = None
) -> str:
    """Return a song's prediction, a player, and in step with it waveform, spectrogram and genres over time.

    Parameters
    ----------
    prediction : Prediction
    name : str
        Name of the song.
    source : str
        Address of the audio.
    rows : list of str or None
        Genres of the timeline; None for the most probable ones.
    longest_s : float or None
        Duration of the full width, if songs are shown one above the other; None for the song's.
    """
    rows = rows or list(prediction.mean)[:_ROWS]
    width = 100 * prediction.seconds / (longest_s or prediction.seconds)
    lanes = [("waveform", "wave", waveform(prediction.outline)), ("mel spectrogram", "mel", spectrogram(prediction))]
    for genre in rows:
        label = f"{escape(display_name(genre))} <b>{_percent(prediction.mean[genre])}</b>"
        lanes.append((label, "row", timeline(prediction, genre)))
    lanes.append(("", "axis", axis(prediction.seconds, longest_s)))
    body = "".join(
        f'<div class="label" style="grid-row: {row}">{label}</div>'
        f'<div class="lane {kind}" style="grid-row: {row}"><div class="part">{drawn}</div></div>'
        for row, (label, kind, drawn) in enumerate(lanes, start=1)
    )
    return f"""
<section class="song" data-seconds="{prediction.seconds:.3f}">
  {verdict(prediction, name)}
  <audio controls preload="metadata" src="{escape(source)}"></audio>
  <p class="message hint unplayable" hidden>This browser cannot play this file's format; everything else works.</p>
  <div class="lanes" style="--width: {width:.3f}%; --count: {len(lanes) - 1}">
    {body}
    <div class="over"><div class="part" role="slider" tabindex="0" aria-label="place in the song" aria-valuemin="0"
      aria-valuemax="{prediction.seconds:.1f}" aria-valuenow="0"><div class="cursor"></div></div></div>
  </div>
</section>"""


def verdict(prediction: Prediction, name: str) -> str:
    """Return the most probable genre with the song's name, the architecture and a warning."""
    card, genre = prediction.card, prediction.genre
    model = f"{escape(card['architecture'])}, trained on {escape(dataset_note(card['dataset'], card['protocol']))}"
    warning = message(f"{prediction.warning[0].upper()}{prediction.warning[1:]}.", "hint") if prediction.warning else ""
    return f"""<header class="verdict">
  <p class="name">{escape(name)}</p>
  <p class="genre">{escape(display_name(genre))} <span>{_percent(prediction.mean[genre])}</span></p>
  <p class="by">{model}</p>
</header>{warning}"""


def waveform(outline: np.ndarray) -> str:
    """Return the outline of a song, scaled to its loudest sample."""
    loudest = float(np.abs(outline).max(initial=0)) or 1.0
    upper = [f"{x},{-high / loudest:.3f}" for x, (_, high) in enumerate(outline)]
    lower = [f"{x},{-low / loudest:.3f}" for x, (low, _) in enumerate(outline)]
    points = " ".join(upper + lower[::-1])
    return (
        f'<svg viewBox="0 -1 {max(1, len(outline) - 1)} 2" preserveAspectRatio="none" role="img" '
        f'aria-label="waveform"><polygon points="{points}"/></svg>'
    )


def spectrogram(prediction: Prediction) -> str:
    """Return the mel spectrogram as a picture, with some frequencies marked."""
    from matplotlib import image

    starts = np.unique(np.linspace(0, len(prediction.spectrogram), _COLUMNS, endpoint=False).astype(int))
    means = np.add.reduceat(prediction.spectrogram.astype(np.float32), starts, axis=0)
    means /= np.diff([*starts, len(prediction.spectrogram)])[:, np.newaxis]
    drawn = io.BytesIO()
    image.imsave(drawn, means.T, cmap="magma", vmin=0, vmax=255, origin="lower", format="png")
    centres = prediction.form.band_centres()
    marks = "".join(
        f'<span class="hertz" style="bottom: {100 * np.interp(hz, centres, np.linspace(0, 1, len(centres))):.1f}%">'
        f"{f'{hz // 1000} k' if hz >= 1000 else f'{hz} '}Hz</span>"
        for hz in _HERTZ
        if centres[0] < hz < centres[-1]
    )
    return f"{picture(drawn.getvalue(), 'mel spectrogram')}{marks}"


def picture(png: bytes, description: str) -> str:
    """Return an inline PNG, so that no other file need be served."""
    data = base64.b64encode(png).decode()
    return f'<img src="data:image/png;base64,{data}" alt="{escape(description)}">'


def timeline(prediction: Prediction, genre: str) -> str:
    """Return one genre over time: a rectangle per window, whose opacity is the probability."""
    windows = prediction.timeline
    shares = windows.probabilities[:, prediction.genres.index(genre)]
    # Windows may overlap, so each is drawn up to the start of the next.
    ends = [*windows.start_s[1:], prediction.seconds]
    squares = "".join(
        f'<rect x="{start:.3f}" width="{end - start:.3f}" height="1" fill-opacity="{share:.3f}">'
        f"<title>{clock(start)} to {clock(end)}: {escape(display_name(genre))} {_percent(share)}</title></rect>"
        for start, end, share in zip(windows.start_s, ends, shares, strict=True)
        if share >= _LEAST_SHARE
    )
    return f'<svg viewBox="0 0 {prediction.seconds:.3f} 1" preserveAspectRatio="none">{squares}</svg>'


def axis(seconds: float, longest_s: float | None = None) -> str:
    """Return the times below the lanes."""
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300)
    step = next((step for step in steps if (longest_s or seconds) / step <= 6), steps[-1])
    places = np.arange(0, seconds - 0.03 * (longest_s or seconds) if seconds > step else seconds, step)
    return "".join(f'<span style="left: {100 * at / seconds:.2f}%">{clock(at)}</span>' for at in places)


def bars(prediction: Prediction) -> str:
    """Return the mean over the song, a bar for each of the most probable genres."""
    rows = "".join(
        f'<div class="label">{escape(display_name(genre))}</div>'
        f'<div class="bar"><div style="width: {100 * share:.2f}%"></div></div>'
        f'<div class="value">{_percent(share)}</div>'
        for genre, share in list(prediction.mean.items())[:MOST_BARS]
    )
    return f'<section class="bars"><h3>The whole song</h3><div class="grid">{rows}</div></section>'


def difference(before: Prediction, after: Prediction) -> str:
    """Return the change between two versions: a bar per genre, to the left if less, to the right if more probable."""
    change = {genre: after.mean.get(genre, 0.0) - share for genre, share in before.mean.items()}
    ordered = sorted(change, key=lambda genre: -change[genre])
    most = max(max(map(abs, change.values())), 0.01)
    rows = "".join(
        f'<div class="label">{escape(display_name(genre))}</div>'
        f'<div class="bar both {"more" if change[genre] > 0 else "less"}">'
        f'<div style="width: {50 * abs(change[genre]) / most:.2f}%"></div></div>'
        f'<div class="value">{_percent(before.mean[genre])} → {_percent(after.mean[genre])}</div>'
        for genre in ordered
    )
    if before.genre == after.genre:
        headline = f"Both versions: {display_name(after.genre)}"
    else:
        headline = f"From {display_name(before.genre)} to {display_name(after.genre)}"
    up, down = ordered[0], ordered[-1]
    largest = f"{display_name(up)} {_points(change[up])}, {display_name(down)} {_points(change[down])}"
    return (
        f'<section class="bars change"><h3>{escape(headline)}</h3><p class="by">{escape(largest)}</p>'
        f'<div class="grid">{rows}</div></section>'
    )


def dose_curve(curve: Curve) -> str:
    """Return the probabilities of two genres against the dose of a remix, with the dose at which one takes over."""
    lines, legend = "", ""
    genres = (
        {"target": curve.target} if curve.before == curve.target else {"before": curve.before, "target": curve.target}
    )
    for kind, genre in genres.items():
        shares = [both[kind == "target"] for both in curve.shares]
        points = " ".join(f"{dose:.4f},{1 - share:.4f}" for dose, share in zip(curve.doses, shares, strict=True))
        lines += f'<polyline class="{kind}" points="{points}"/>'
        legend += (
            f'<span class="{kind}">{escape(display_name(genre))} {_percent(shares[0])} → {_percent(shares[-1])}</span>'
        )
    if 0 < curve.tips_at <= 1:
        lines += f'<line x1="{curve.tips_at:.4f}" x2="{curve.tips_at:.4f}" y1="0" y2="1"/>'
    marks = "".join(f'<span style="left: {mark}%">{mark} %</span>' for mark in (0, 20, 40, 60, 80))
    return (
        f'<section class="bars dose"><h3>{escape(curve.headline)}</h3><p class="by">{legend}</p>'
        '<svg viewBox="0 0 1 1" preserveAspectRatio="none" role="img" '
        f'aria-label="probability against the amount">{lines}</svg>'
        f'<div class="lane axis">{marks}</div><p class="by">probability, 0 to 100 %, against the amount</p></section>'
    )


def _percent(share: float) -> str:
    return percent(share).replace(" ", "\N{NO-BREAK SPACE}")


def _points(change: float) -> str:
    return f"{100 * change:+.0f} points".replace("-", "−")


def address(file: str) -> str:
    """Return the address of an audio file on the page."""
    return f"gradio_api/file={quote(file)}"
