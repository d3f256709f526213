"""Matching of a store's song with the requested song by title, artist, version and length.

A wrong match is worse than none: it puts a karaoke band or another genre's remix under the label.
"""

import re
import unicodedata
from itertools import pairwise

from genres.core.names import folded, normalised_artist
from genres.sources.spotify.song import Song

# Tolerance of the length: stores round it, and trim silence differently.
TOLERANCE_S = 3.0

# Words that mark another recording of a song, without accents, as titles are compared without them. Both titles must
# have the same ones. "Radio edit" and the like are distinguished by length.
VERSIONS = {
    "8bit": r"8[\s-]?bit",
    "acapella": r"a\s?cap+ella",
    "acoustic": r"acoustic|acustic[oa]|unplugged|stripped",
    "cover": r"cover(ed)?|tribute|in the style of|made famous by|originally performed",
    "demo": r"demo|rough mix",
    "extended": r"extended|club mix|12\s?(inch|\")",
    "instrumental": r"instrumental|backing track",
    "karaoke": r"karaoke|sing[\s-]?along",
    "live": r"live|ao vivo|en vivo|en directo|dal vivo|unplugged|sessions?",
    "lullaby": r"lullaby|music box|piano version|orchestral",
    "mashup": r"mash[\s-]?up|medley|megamix",
    "mixed": r"mixed|dj mix|continuous mix",
    "montagem": r"montagem|mtg",
    "nightcore": r"nightcore",
    "remix": r"remix(ed)?|rmx|re[\s-]?edit|bootleg|flip|vip mix|dub mix|dub version|dub",
    "rerecorded": r"re[\s-]?recorded|taylors version|new version",
    "reprise": r"reprise|interlude|intro|outro",
    "slowed": r"slowed|reverb",
    "sped": r"sped[\s-]?up|speed(ed)? up",
    # The same singer over beats of another genre: must not get the original's label.
    "style": r"brega|funk|trap|drill|phonk|house|techno|hardstyle|edm|dnb|drum (?:and|n|&) bass|lo[\s-]?fi|reggaeton|"
    r"bachata|salsa|sertanejo|pagode|samba|piseiro|forro",
}
_VERSIONS = {name: re.compile(rf"(?<!\w)(?:{words})(?!\w)") for name, words in VERSIONS.items()}

# Words that do not distinguish recordings, or less well than the length does.
_HARMLESS = re.compile(
    r"(?<!\w)(?:remaster(?:ed|izad[oa])?|mono|stereo|version|versao|edit|mix|single|album|original|bonus|deluxe|explicit|"
    r"clean|soundtrack|motion picture|anniversary|official|video|audio|from \"[^\"]*\")(?!\w)|^(?:19|20)\d\d$|^from \""
)
_GUEST_IN_BRACKETS = re.compile(r"(?:feat|ft|featuring|with|part|com|con|e)\b")
# Outside brackets, "com" and "con" are words of titles, "Part 2" is another song, and "6 ft" or "a feat of" no guest.
_GUESTS = re.compile(r"(?<!\d)\s\(?(?:(?:feat|ft|featuring)\b\.?\s*(?!of\b)(?=\w)|part\.\s+(?![\divx]+\b)).*$")
_PART = re.compile(r"(?:pts?|parts?|parte|vol|volume|chapter|no)\b\.?\s*(?:\d+|[ivx]+|one|two|three|four|five)\b")
_NUMBERS = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5", "one": "1", "two": "2", "three": "3"}

# Prefixes before a dash that are not the name: "MTG - Name".
_PREFIX = re.compile(r"\W*(?:mtg|montagem|medley|mash[\s-]?up)\W*")
# Words for a version that somebody made of a song, and words of such a phrase that do not name the maker or version.
_VERSION_WORDS = re.compile(r"(?<!\w)(?:(?:re)?(?:mix|edit|work)(?:ed)?|version|versao|rmx|dub|bootleg|flip)(?!\w)")
_NEUTRAL_WORDS = re.compile(
    r"(?:re)?(?:mix|edit|work)(?:ed)?|version|versao|rmx|the|a|o|by|radio|single|album|original|official|oficial|short|"
    r"full|long|clean|explicit|main|bonus|track|stereo|mono|video|film|movie|soundtrack|remaster(?:ed|izad[oa])?|"
    r"deluxe|anniversary|edition|special|lp|ep|\d+"
)

_BRACKETS = re.compile(r"[(\[{【]([^)\]}】]*)[)\]}】]")
_DASH = re.compile(r"\s[-–—~]\s")
# Words in the names of performers of covers.
_IMITATORS = re.compile(r"(?<!\w)(?:karaoke|tribute|cover(?:s| band)?|sing2piano|party tyme|hit crew|lullaby)(?!\w)")


def normalised_title(title: str) -> str:
    """Return the letters of a title without guests and version, for comparison.

    Text in brackets is removed, except the number of a part. Text after a dash is removed only if it names a version,
    for it may be the name, as in "MTG - Name" or in a symphony's movement. The result is empty only for an empty title:
    titles in all scripts keep their letters, and a title of signs only is kept.
    """
    bare, _ = _split(title)
    return _letters(bare) or _signs(bare) or _letters(folded(title)) or _signs(folded(title)) or title


def search_title(title: str) -> str:
    """Return a title for a search: with its version, without guests and remarks about its publication.

    The number of a part is removed, too, because stores write it differently.
    """
    bare, asides = _split(title)
    version = [aside for aside in asides if not _names_guests(aside) and (_versions_in(aside) or _made_by(aside))]
    words = _words(" ".join([bare, *version]))
    return re.sub(r"(?<=\w) part \d+(?!\w)", "", words) or normalised_title(title)


def _words(folded: str) -> str:
    """Return letters and digits only, with single spaces between words; "Pt. II" becomes "part 2"."""
    words = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in folded).split()
    words = ["part" if word in ("pt", "pts", "parts", "parte") else word for word in words]
    numbered = [_NUMBERS.get(word, word) if before == "part" else word for before, word in pairwise(["", *words])]
    return " ".join(numbered)


def _letters(folded: str) -> str:
    """Return letters and digits without spaces and "and": "U.S.A." equals "USA", "Rock & Roll" "Rock and Roll"."""
    words = _words(folded)
    return "".join(word for word in words.split() if word != "and") or words


def _signs(folded: str) -> str:
    """Return a text without spaces."""
    return "".join(folded.split())


def _split(title: str) -> tuple[str, list[str]]:
    """Split a title into its folded name and its asides: texts in brackets, and remarks after a dash."""
    lower = folded(title)
    asides = [aside.strip() for aside in _BRACKETS.findall(lower)]
    outside = _BRACKETS.sub(lambda match: match[1] if _PART.match(match[1].strip()) else " ", lower)
    name, *tails = _DASH.split(f"{outside} ")
    for tail in map(str.strip, tails):
        is_remark = _versions_in(tail) or _HARMLESS.search(tail) or _GUESTS.match(f" {tail}")
        if is_remark and not _PREFIX.fullmatch(name):
            asides.append(tail)
        else:
            name = f"{name} {tail}"
    return _GUESTS.sub("", f"{name.rstrip()} "), asides


def _names_guests(aside: str) -> bool:
    return bool(_GUEST_IN_BRACKETS.match(aside)) and not _PART.match(aside)


def _versions_in(aside: str) -> frozenset[str]:
    return frozenset(name for name, pattern in _VERSIONS.items() if pattern.search(aside))


def versions(title: str) -> frozenset[str]:
    """Return which of `VERSIONS` a title's brackets, or the text after its dash, name: {"live"} for "Song (Live)".

    The name itself does not count: "Live and Let Die" is not live.
    """
    asides = _split(title)[1]
    return frozenset().union(*(_versions_in(aside) for aside in asides if not _names_guests(aside)))


def version_of(title: str) -> str:
    """Return a key of the version that a title names; empty for the original."""
    return " ".join([*sorted(versions(title)), _makers(title)]).strip()


def _makers(title: str) -> str:
    """Return the words that name the version or its maker, as in "DJ A Remix", "Spanish Version", "A's Edit"."""
    return " ".join(sorted(set().union(*map(_made_by, _split(title)[1]))))


def _made_by(aside: str) -> set[str]:
    if not _VERSION_WORDS.search(aside):
        return set()
    text = re.split(r"(?<!\w)(?:feat|ft|featuring|part)(?!\w)|from \"", aside)[0]
    for pattern in _VERSIONS.values():
        text = pattern.sub(" ", text)
    return {word for word in _words(text).split() if not _NEUTRAL_WORDS.fullmatch(word)}


def _subtitles(title: str) -> set[str]:
    """Return the texts in brackets that belong to the name, as in "(I Can't Get No) Satisfaction"."""
    return {
        _words(aside)
        for aside in _split(title)[1]
        if not (_GUEST_IN_BRACKETS.match(aside) or _versions_in(aside) or _HARMLESS.search(aside))
    } - {""}


def mismatch(song: Song, *, title: str, artist: str, duration_s: float, same_isrc: bool = False) -> str:
    """Return the reason why an offer does not match the requested song; empty if it matches.

    Parameters
    ----------
    song : Song
        Requested song; if its length is unknown (0), everything else must be equal.
    title, artist : str
        Title and artist of the offer.
    duration_s : float
        Length of the offer's whole song in seconds; 0 if unknown.
    same_isrc : bool
        True if the offer has the song's ISRC: then either artist or title may be spelled differently (another script,
        a former name) if the length agrees.
    """
    requested, offered = versions(song.title), versions(title)
    if requested != offered:
        return f"another version ({', '.join(sorted(requested ^ offered))})"
    ours, theirs = _makers(song.title), _makers(title)
    if ours != theirs:
        return "another remix" if "remix" in requested else f"another version ({theirs or ours})"
    if _imitates(artist) and not any(map(_imitates, song.artists)):
        return "an imitator"
    has_length = bool(song.duration_s and duration_s)
    same_name = normalised_title(song.title) == normalised_title(title)
    asides = _subtitles(song.title), _subtitles(title)
    same_title = same_name and (not all(asides) or asides[0] == asides[1])
    same_artist = bool({normalised_artist(name) for name in song.artists if name.strip()} & _names_in(artist))
    proven = same_isrc and has_length and (same_title or same_artist)
    if not (same_title or proven):
        return "another title"
    if not (same_artist or proven):
        return "another artist"
    if not has_length:
        same = _words(folded(song.title)) == _words(folded(title))
        return "" if same else "a slightly different title, of unknown length"
    if abs(song.duration_s - duration_s) > TOLERANCE_S:
        return f"another length ({duration_s:.0f} s instead of {song.duration_s:.0f} s)"
    return ""


def _imitates(artist: str) -> bool:
    return bool(_IMITATORS.search(folded(artist)))


def _names_in(artist: str) -> set[str]:
    """Return the name, and the names that it may list, as in "A & B" or "A, B feat. C"."""
    separators = r"\s*[,;&+/]\s*|\s\(?(?:x|and|e|y|with|featuring|(?:feat|ft)\.?)\s"
    parts = re.split(separators, artist, flags=re.IGNORECASE)
    return {normalised_artist(name) for name in (artist, *parts) if name and name.strip()}
