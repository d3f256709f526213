"""Whether a song that a store offers is the song that was asked for: title, artist, version and length are compared.

A wrong hit is worse than none: it puts a karaoke band or another genre's remix under the label.
"""

import re
import unicodedata

from src.ingest.spotify.song import Song

# By which the length may differ: stores round, and cut silence at the ends differently.
TOLERANCE_S = 3.0

# What makes another recording of a song. Both sides must have the same of these; "edit", "mix" and the like are told
# apart by the lengths.
VERSIONS = {
    "8bit": r"8[\s-]?bit",
    "acapella": r"a\s?cap+ella",
    "acoustic": r"acoustic|acústico|acustico|unplugged|stripped",
    "cover": r"cover(ed)?|tribute|in the style of|made famous by|originally performed",
    "demo": r"demo|rough mix",
    "extended": r"extended|club mix|12\s?(inch|\")",
    "instrumental": r"instrumental|backing track",
    "karaoke": r"karaoke|sing[\s-]?along",
    "live": r"live|ao vivo|en vivo|en directo|dal vivo|unplugged|session[s]?",
    "lullaby": r"lullaby|music box|piano version|orchestral",
    "mashup": r"mash[\s-]?up|medley|megamix",
    "mixed": r"mixed|dj mix|continuous mix",
    "montagem": r"montagem|mtg",
    "nightcore": r"nightcore",
    "remix": r"remix(ed)?|rmx|re[\s-]?edit|bootleg|flip|vip mix|dub mix|dub version|dub",
    "rerecorded": r"re[\s-]?recorded|taylor'?s version|new version",
    "reprise": r"reprise|interlude|intro|outro",
    "slowed": r"slowed|reverb",
    "sped": r"sped[\s-]?up|speed(ed)? up",
}
_VERSIONS = {name: re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE) for name, words in VERSIONS.items()}

# Of a title: what stands in brackets, or behind a dash with blanks around it.
_ASIDE = re.compile(r"[(\[{（【]([^)\]}）】]*)[)\]}）】]|\s[-–—~]\s(.*)$")
_GUESTS = re.compile(r"\s(?:feat|ft|featuring|part|com|con)\b\.?\s.*$", re.IGNORECASE)
# Performers that exist to sing what others made known.
_IMITATORS = re.compile(
    r"(?<!\w)(?:karaoke|tribute|cover(?:s| band)?|sing2piano|party tyme|hit crew|lullaby)(?!\w)", re.I
)


def normalised_title(title: str) -> str:
    """A title without case, accents, punctuation, guests and what stands in brackets or behind a dash.

    Never empty for a title that has a letter, a digit or any other sign: titles in all scripts keep their letters, and
    one that is nothing but signs stays as it is.
    """
    bare = _GUESTS.sub("", f"{_ASIDE.sub(' ', title)} ").strip()
    return _letters(bare) or _letters(title) or unicodedata.normalize("NFKC", title).strip()


def normalised_artist(name: str) -> str:
    """A name without case, accents, punctuation and a leading "The"; "&" is "and"."""
    letters = _letters(re.sub(r"[&+]", " and ", name))
    return letters.removeprefix("the ") or unicodedata.normalize("NFKC", name).strip()


def _letters(text: str) -> str:
    """Lower-case letters and digits of any script, words apart by one blank; accents go, other marks stay."""
    decomposed = unicodedata.normalize("NFKD", text.replace("'", "").replace("’", "").casefold())
    # Accents are marks on Latin, Greek and Cyrillic letters; in other scripts marks are vowels.
    kept = "".join(c for c in decomposed if not ("\u0300" <= c <= "\u036f"))
    composed = unicodedata.normalize("NFKC", kept)
    return " ".join("".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in composed).split())


def versions(title: str) -> frozenset[str]:
    """Which of `VERSIONS` a title's brackets, or what follows its dash, speak of: "Song (Live)" is {"live"}.

    The name itself does not count: "Live and Let Die" is no concert.
    """
    asides = " / ".join(part for match in _ASIDE.finditer(title) for part in match.groups() if part)
    return frozenset(name for name, pattern in _VERSIONS.items() if pattern.search(asides))


def _remixers(title: str) -> str:
    """Who made the remix: "Song (DJ A Remix)" and "Song (DJ B Remix)" are two recordings."""
    asides = [part for match in _ASIDE.finditer(title) for part in match.groups() if part]
    words = " ".join(_letters(part) for part in asides if _VERSIONS["remix"].search(part))
    return " ".join(word for word in words.split() if word not in ("remix", "remixed", "version", "the", "mix"))


def refusal(song: Song, *, title: str, artist: str, duration_s: float) -> str:
    """Why an offer is not the song that was asked for.

    Parameters
    ----------
    song : Song
        What was asked for; where its length is unknown (0), everything else has to be equal.
    title, artist : str
        Of the offer.
    duration_s : float
        Of the offer's whole song; 0 where unknown.

    Returns
    -------
    str
        In a few words; empty: it is the song.
    """
    asked, offered = versions(song.title), versions(title)
    if asked != offered:
        return f"another version ({', '.join(sorted(asked ^ offered))})"
    if normalised_title(song.title) != normalised_title(title):
        return "another title"
    if "remix" in asked and _remixers(song.title) != _remixers(title):
        return "another remix"
    names = {normalised_artist(name) for name in song.artists}
    if not names & _names_in(artist):
        return "another artist"
    if _IMITATORS.search(artist) and not any(_IMITATORS.search(name) for name in song.artists):
        return "an imitator"
    if not (song.duration_s and duration_s):
        same = _letters(song.title) == _letters(title)
        return "" if same else "a title that is not quite the same, of unknown length"
    if abs(song.duration_s - duration_s) > TOLERANCE_S:
        return f"another length ({duration_s:.0f} s instead of {song.duration_s:.0f} s)"
    return ""


def _names_in(artist: str) -> set[str]:
    """The name as it is, and those that it may be a list of: "A & B", "A, B feat. C"."""
    parts = re.split(
        r"\s*(?:,|;|&|\+|/|\bx\b|\band\b|\be\b|\by\b|\bfeat\b\.?|\bft\b\.?|\bfeaturing\b|\bwith\b)\s*", artist
    )
    return {normalised_artist(name) for name in (artist, *parts) if name.strip()}
