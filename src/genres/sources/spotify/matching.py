"""Whether a song that a store offers is the song that was asked for: title, artist, version and length are compared.

A wrong hit is worse than none: it puts a karaoke band or another genre's remix under the label.
"""

import re
import unicodedata
from itertools import pairwise

from genres.sources.spotify.song import Song

# By which the length may differ: stores round, and cut silence at the ends differently.
TOLERANCE_S = 3.0

# What makes another recording of a song; no accents here, as titles are compared without. Both sides must have the same
# of these; "radio edit" and the like are told apart by the lengths.
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
    # The same singer over other beats: exactly what must not stand under the first one's genre.
    "style": r"brega|funk|trap|drill|phonk|house|techno|hardstyle|edm|dnb|drum (?:and|n|&) bass|lo[\s-]?fi|reggaeton|"
    r"bachata|salsa|sertanejo|pagode|samba|piseiro|forro",
}
_VERSIONS = {name: re.compile(rf"(?<!\w)(?:{words})(?!\w)") for name, words in VERSIONS.items()}

# What says nothing about the recording, or what its length says better.
_HARMLESS = re.compile(
    r"(?<!\w)(?:remaster(?:ed|izad[oa])?|mono|stereo|version|versao|edit|mix|single|album|original|bonus|deluxe|explicit|"
    r"clean|soundtrack|motion picture|anniversary|official|video|audio|from \"[^\"]*\")(?!\w)|^(?:19|20)\d\d$|^from \""
)
_GUEST_IN_BRACKETS = re.compile(r"(?:feat|ft|featuring|with|part|com|con|e)\b")
# Without brackets, "com" and "con" are words of titles, "Part 2" is another song, and "6 ft" or "a feat of" no guest.
_GUESTS = re.compile(r"(?<!\d)\s\(?(?:(?:feat|ft|featuring)\b\.?\s*(?!of\b)(?=\w)|part\.\s+(?![\divx]+\b)).*$")
_PART = re.compile(r"(?:pts?|parts?|parte|vol|volume|chapter|no)\b\.?\s*(?:\d+|[ivx]+|one|two|three|four|five)\b")
_NUMBERS = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5", "one": "1", "two": "2", "three": "3"}

# Before a dash, these are no name: "MTG - Name".
_PREFIX = re.compile(r"\W*(?:mtg|montagem|medley|mash[\s-]?up)\W*")
# What somebody has made of a song, and the words in it that do not say who or what.
_MADE = re.compile(r"(?<!\w)(?:(?:re)?(?:mix|edit|work)(?:ed)?|version|versao|rmx|dub|bootleg|flip)(?!\w)")
_UNSAID = re.compile(
    r"(?:re)?(?:mix|edit|work)(?:ed)?|version|versao|rmx|the|a|o|by|radio|single|album|original|official|oficial|short|"
    r"full|long|clean|explicit|main|bonus|track|stereo|mono|video|film|movie|soundtrack|remaster(?:ed|izad[oa])?|"
    r"deluxe|anniversary|edition|special|lp|ep|\d+"
)

_BRACKETS = re.compile(r"[(\[{【]([^)\]}】]*)[)\]}】]")
_DASH = re.compile(r"\s[-–—~]\s")
# Performers that exist to sing what others made known.
_IMITATORS = re.compile(r"(?<!\w)(?:karaoke|tribute|cover(?:s| band)?|sing2piano|party tyme|hit crew|lullaby)(?!\w)")


def normalised_title(title: str) -> str:
    """The letters of a title, without guests and what says which version of the song it is; to compare, not to show.

    What stands in brackets goes, but for the number of a part; what follows a dash goes only where it speaks of a
    version, as it may be the name: of "MTG - Name", or of a symphony's movement. Never empty for a title that has any
    sign: titles in all scripts keep their letters, and one that is nothing but signs stays as it is.
    """
    bare, _ = _split(title)
    return _letters(bare) or _signs(bare) or _letters(_folded(title)) or _signs(_folded(title)) or title


def search_title(title: str) -> str:
    """A title as it is searched for: with its version, without guests and remarks about its publication.

    The number of a part goes, too, which each store writes in its way.
    """
    bare, asides = _split(title)
    said = [aside for aside in asides if not _names_guests(aside) and (_versions_in(aside) or _made_by(aside))]
    words = _words(" ".join([bare, *said]))
    return re.sub(r"(?<=\w) part \d+(?!\w)", "", words) or normalised_title(title)


def normalised_artist(name: str) -> str:
    """The letters of a name, without a leading "The" and whatever says "and"; to compare, not to show."""
    folded = _folded(name)
    words = re.sub(r"(?<= )(?:e|y|et|und|x) ", "", _words(folded).removeprefix("the "))
    return _letters(words) or _signs(folded) or name


def _folded(text: str) -> str:
    """Text in small letters without accents and apostrophes, in any script."""
    decomposed = unicodedata.normalize("NFKD", re.sub("['’‘`´ʼ]", "", text))
    # Accents are marks on Latin, Greek and Cyrillic letters; in other scripts marks are vowels.
    kept = "".join(c for c in unicodedata.normalize("NFKD", decomposed.casefold()) if not "\u0300" <= c <= "\u036f")
    composed = re.sub("[“”„″]", '"', unicodedata.normalize("NFKC", kept))
    # Marks by which emoji ask for colour, so that none is taken for a letter; and a dollar is one: "A$AP".
    return re.sub(r"\$(?=\w)|(?<=\w)\$", "s", re.sub("[\ufe00-\ufe0f\u20e3]", "", composed))


def _words(folded: str) -> str:
    """Letters and digits alone, words apart by one blank; "Pt. II" is "part 2"."""
    words = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in folded).split()
    words = ["part" if word in ("pt", "pts", "parts", "parte") else word for word in words]
    numbered = [_NUMBERS.get(word, word) if before == "part" else word for before, word in pairwise(["", *words])]
    return " ".join(numbered)


def _letters(folded: str) -> str:
    """Letters and digits in one piece: "U.S.A." is "USA", and "Rock & Roll" is "Rock and Roll"."""
    words = _words(folded)
    return "".join(word for word in words.split() if word != "and") or words


def _signs(folded: str) -> str:
    """A text that has nothing but signs, as it is but for blanks."""
    return "".join(folded.split())


def _split(title: str) -> tuple[str, list[str]]:
    """The name of a title, folded, and its asides: what stands in brackets, and what follows a dash and is no name."""
    folded = _folded(title)
    asides = [aside.strip() for aside in _BRACKETS.findall(folded)]
    outside = _BRACKETS.sub(lambda match: match[1] if _PART.match(match[1].strip()) else " ", folded)
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
    """Which of `VERSIONS` a title's brackets, or what follows its dash, speak of: "Song (Live)" is {"live"}.

    The name itself does not count: "Live and Let Die" is no concert.
    """
    asides = _split(title)[1]
    return frozenset().union(*(_versions_in(aside) for aside in asides if not _names_guests(aside)))


def version_of(title: str) -> str:
    """A key for which version of a song a title names; empty: none, so the song as it is known."""
    return " ".join([*sorted(versions(title)), _makers(title)]).strip()


def _makers(title: str) -> str:
    """Whose or what version it is, in words that both sides must have: "DJ A Remix", "Spanish Version", "A's Edit"."""
    return " ".join(sorted(set().union(*map(_made_by, _split(title)[1]))))


def _made_by(aside: str) -> set[str]:
    if not _MADE.search(aside):
        return set()
    said = re.split(r"(?<!\w)(?:feat|ft|featuring|part)(?!\w)|from \"", aside)[0]
    for pattern in _VERSIONS.values():
        said = pattern.sub(" ", said)
    return {word for word in _words(said).split() if not _UNSAID.fullmatch(word)}


def _subtitles(title: str) -> set[str]:
    """What brackets add to the name: "(I Can't Get No) Satisfaction"."""
    return {
        _words(aside)
        for aside in _split(title)[1]
        if not (_GUEST_IN_BRACKETS.match(aside) or _versions_in(aside) or _HARMLESS.search(aside))
    } - {""}


def refusal(song: Song, *, title: str, artist: str, duration_s: float, same_isrc: bool = False) -> str:
    """Why an offer is not the song that was asked for.

    Parameters
    ----------
    song : Song
        What was asked for; where its length is unknown (0), everything else has to be equal.
    title, artist : str
        Of the offer.
    duration_s : float
        Of the offer's whole song; 0 where unknown.
    same_isrc : bool
        Whether it was found by the ISRC: then either name or title may be written otherwise (in another script, by a
        former name), where the length agrees.

    Returns
    -------
    str
        In a few words; empty: it is the song.
    """
    asked, offered = versions(song.title), versions(title)
    if asked != offered:
        return f"another version ({', '.join(sorted(asked ^ offered))})"
    ours, theirs = _makers(song.title), _makers(title)
    if ours != theirs:
        return "another remix" if "remix" in asked else f"another version ({theirs or ours})"
    if _imitates(artist) and not any(map(_imitates, song.artists)):
        return "an imitator"
    known = bool(song.duration_s and duration_s)
    same_name = normalised_title(song.title) == normalised_title(title)
    asides = _subtitles(song.title), _subtitles(title)
    same_title = same_name and (not all(asides) or asides[0] == asides[1])
    same_artist = bool({normalised_artist(name) for name in song.artists if name.strip()} & _names_in(artist))
    proven = same_isrc and known and (same_title or same_artist)
    if not (same_title or proven):
        return "another title"
    if not (same_artist or proven):
        return "another artist"
    if not known:
        same = _words(_folded(song.title)) == _words(_folded(title))
        return "" if same else "a title that is not quite the same, of unknown length"
    if abs(song.duration_s - duration_s) > TOLERANCE_S:
        return f"another length ({duration_s:.0f} s instead of {song.duration_s:.0f} s)"
    return ""


def _imitates(artist: str) -> bool:
    return bool(_IMITATORS.search(_folded(artist)))


def _names_in(artist: str) -> set[str]:
    """The name as it is, and those that it may be a list of: "A & B", "A, B feat. C"."""
    separators = r"\s*[,;&+/]\s*|\s\(?(?:x|and|e|y|with|featuring|(?:feat|ft)\.?)\s"
    parts = re.split(separators, artist, flags=re.IGNORECASE)
    return {normalised_artist(name) for name in (artist, *parts) if name and name.strip()}
