"""Compare names that people and programs write in different ways: artists, genres, paths, recording codes."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise

# Songs of equal name whose lengths differ by less are one recording.
SAME_LENGTH_S = 2.0

# Names of nobody, as programs and shops write them. Artists with one of these count as unknown.
PLACEHOLDERS = """
    unknown; unknown artist; unknown artists; unknown performer; unknown composer; unknown album artist; various;
    various artists; various artist; various performers; various composers; various production; va; v.a; v/a; n/a;
    n.a; none; no artist; null; nil; nan; undefined; multiple artists; several artists; mixed artists;
    diverse artists; compilation; soundtrack; tba; original soundtrack; ost; misc; miscellaneous;
    untitled; unnamed; not available; anonymous; anon; traditional; dialogue; nature sounds; verschiedene;
    verschiedene künstler; verschiedene interpreten; unbekannt; unbekannter künstler; unbekannter interpret;
    diverse; diverse interpreten; diverse künstler; ohne interpret; inconnu; artiste inconnu; interprète inconnu;
    divers; artistes divers; artistes variés; multi-interprètes; interprètes divers; compilations; desconocido;
    artista desconocido; intérprete desconocido; varios; varios artistas; artistas varios; varios intérpretes;
    desconhecido; artista desconhecido; sconosciuto; artista sconosciuto; vari; artisti vari; autori vari; aa.vv;
    aavv; a.a.v.v; interpreti vari; onbekend; onbekende artiest; diverse artiesten; verschillende artiesten; okänd;
    okänd artist; blandade artister; diverse artister; ukendt; ukendt kunstner; ukjent; ukjent artist;
    diverse kunstnere; tuntematon; tuntematon esittäjä; tuntematon artisti; eri esittäjiä; useita esittäjiä;
    nieznany; nieznany wykonawca; nieznany artysta; różni wykonawcy; różni artyści; neznámý; neznámý interpret;
    neznámý umělec; různí; různí interpreti; různí umělci; rôzni interpreti; ismeretlen; ismeretlen előadó;
    különböző előadók; vegyes előadók; necunoscut; artist necunoscut; diverși artiști; nepoznat; nepoznati izvođač;
    razni izvođači; bilinmeyen; bilinmeyen sanatçı; çeşitli sanatçılar; karışık; неизвестно; неизвестен;
    неизвестный; неизвестный исполнитель; неизвестный артист; разные исполнители; различные исполнители;
    разные артисты; сборник; невідомий; невідомий виконавець; різні виконавці; άγνωστος; άγνωστος καλλιτέχνης;
    διάφοροι; διάφοροι καλλιτέχνες; 不明; 不明なアーティスト; アーティスト不明; ヴァリアス・アーティスト;
    ヴァリアス; オムニバス; 未知艺术家; 未知藝術家; 未知歌手; 未知; 佚名; 群星; 华语群星; 華語群星; 合辑;
    알 수 없음; 알 수 없는 아티스트; 여러 아티스트; 여러 가수; לא ידוע; אמן לא ידוע; אמנים שונים; غير معروف;
    فنان غير معروف; فنانون متنوعون
"""

# Between the values of several tags. A slash is not here: old tags have it, and so has AC/DC.
_VALUES = re.compile(r"[;\0\n|]+")
# Before a guest: the names on both sides are certain.
_GUESTS = re.compile(
    r"[\s(\[{]+(?:(?:feat|ft|vs|pres|prod)(?:\.\s*|\s+)(?:by\s+)?|(?:featuring|versus|presents|introducing|meets)\s+|w/\s*)",
    re.IGNORECASE,
)
# Between names of equal rank; also within one name, as in "Simon & Garfunkel".
_TOGETHER = re.compile(
    r"\s*[&+/×•]\s*|\s+(?:x|and|with|und|mit|et|avec|y|e|con|com|og|och|и)\s+",
    re.IGNORECASE,
)
_LIST = re.compile(r"\s*[,、]\s*")
# Words that name no artist without another name: "& His Orchestra", "and Friends", "Beatles, The".
_COMMON_WORDS = """
    all band big boys brothers choir chorus co combo company crew die ensemble family feat friends ft gang girls
    group guests her his jr le la les los members more orch orchestra others quartet quintet sextet singers sisters
    sons sr string strings the their trio
"""


def same_text(text: str) -> str:
    """Return a text for comparison, without regard to case, outer and repeated blanks, and Unicode's forms."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", " ".join(text.split())).casefold())
    return " ".join(folded.split())


def path_key(name: str) -> str:
    """Return a relative path for comparison: Windows' backslashes, Unicode's forms and case may differ."""
    return same_text(name.replace("\\", "/").removeprefix("./"))


def folded(text: str) -> str:
    """Return text of any script in lower case without accents and apostrophes."""
    decomposed = unicodedata.normalize("NFKD", re.sub("['’‘`´ʼ]", "", text))
    # Only the accents of Latin, Greek and Cyrillic are removed; in other scripts combining marks are vowels.
    kept = "".join(c for c in unicodedata.normalize("NFKD", decomposed.casefold()) if not "\u0300" <= c <= "\u036f")
    composed = re.sub("[“”„″]", '"', unicodedata.normalize("NFKC", kept))
    # Emoji variation selectors are removed, so as not to count as letters; a dollar in a word is an s: "A$AP".
    return re.sub(r"\$(?=\w)|(?<=\w)\$", "s", re.sub("[\ufe00-\ufe0f\u20e3]", "", composed))


@cache
def normalised_artist(name: str) -> str:
    """Return the letters of a name without a leading "The" and without words for "and", for comparison."""
    lower = folded(name)
    words = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in lower).split()
    bare = re.sub(r"(?<= )(?:e|y|et|und|x) ", "", " ".join(words).removeprefix("the "))
    return "".join(word for word in bare.split() if word != "and") or "".join(words) or "".join(lower.split()) or name


def _bare(name: str) -> str:
    """Return a name without signs around it, a remark in brackets, and a number: "unknown" for "<Unknown> (2)"."""
    bare = re.sub(r"(?<=\w)\W*[(\[].*[)\]]$", "", folded(name).strip())
    return re.sub(r"[\s_-]+|(?<=\D)\d+$", "", bare.strip(_AROUND))


_AROUND = "<>()[]{}\"'-–—_.*?:~ \t"
_PLACEHOLDERS = frozenset({"", *map(_bare, PLACEHOLDERS.split(";"))})


_COMMON = frozenset(_COMMON_WORDS.split())


def _is_name(text: str) -> bool:
    return _bare(text) not in _PLACEHOLDERS


@cache
def known_artists(text: str) -> tuple[str, ...]:
    """Return the artists of a cell or tag, whose values are joined by ";", without placeholders and repetitions."""
    values = (" ".join(unicodedata.normalize("NFC", value).split()) for value in _VALUES.split(text))
    named: dict[str, str] = {}
    for value in filter(_is_name, values):
        named.setdefault(normalised_artist(value), value)
    return tuple(named.values())


@cache
def _parts(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the comparison keys of the names in an artist's text: those that are names, and those that may be."""
    names: set[str] = set(known_artists(text))
    doubtful: set[str] = set()
    for value in known_artists(text):
        for guest in _GUESTS.split(unicodedata.normalize("NFKC", value)):
            together = _TOGETHER.split(guest)
            for part in {guest, *together, *(name for piece in together for name in _LIST.split(piece))}:
                words = folded(part).strip(_AROUND).split()
                # Behind a comma a single word may be a first name: "Davis, Miles".
                is_name = not _COMMON.issuperset(words) and (part in (guest, *together) or len(words) > 1)
                (names if is_name else doubtful).add(part.strip(_AROUND))
    return _keys(names), _keys(doubtful)


def _keys(names: set[str]) -> frozenset[str]:
    return frozenset(normalised_artist(name) for name in names if _is_name(name))


def artists_of(texts: Iterable[str]) -> list[frozenset[str]]:
    """Return a comparison key of each artist whom a text names, for each text; none for unknown artists.

    These are the whole text, its guests ("A feat. B") and names that it joins ("A & B", "A/B", "A, B"). A part of
    common words ("& His Orchestra") or a single word beside a comma ("Davis, Miles") is one only if another text has it
    as a name.
    """
    parts = [_parts(text) for text in texts]
    everybody = frozenset().union(*(names for names, _ in parts))
    return [names | (doubtful & everybody) for names, doubtful in parts]


def artist_groups(texts: Iterable[str]) -> list[int]:
    """Return the group of each text, named by its first member: texts that share an artist are in one group."""
    from genres.core.groups import groups  # loads SciPy

    keys = artists_of(texts)
    return groups(len(keys), keys)


def clean_isrc(text: str | None) -> str:
    """Return an ISRC in its normal form: GBDUW0000059 for "gb-duw-00-00059"; empty if invalid."""
    letters = re.sub(r"[\s-]", "", text or "").upper().removeprefix("ISRC").lstrip(":")
    return letters if re.fullmatch(r"[A-Z]{2}[A-Z0-9]{3}\d{7}", letters, re.ASCII) else ""


def proven_codes(codes: Sequence[str], titles: Sequence[str], durations_s: Iterable[float]) -> list[str]:
    """Return labels that are equal for songs with the same ISRC and the same title, or lengths within 2 s; else empty.

    Shops and taggers give wrong codes, such as one for a whole album, so a code alone proves nothing. Titles are
    normalised; an empty title or a length of 0 is unknown.
    """
    from genres.core.groups import groups  # loads SciPy

    lengths, pairs = list(durations_s), []
    clean = [clean_isrc(code) for code in codes]
    of_code: dict[str, list[int]] = {}
    for item, code in enumerate(clean):
        if code:
            of_code.setdefault(code, []).append(item)
    # Neighbours in the order of length are enough, for programs give one code to whole libraries.
    for items in of_code.values():
        items.sort(key=lengths.__getitem__)
        known, untitled = [item for item in items if lengths[item] > 0], [item for item in items if not titles[item]]
        for first, second in (*pairwise(known), *pairwise(untitled)):
            if lengths[second] - lengths[first] < SAME_LENGTH_S:
                pairs.append((first, second))
    same_title = [f"{code} {title}" if code and title else "" for code, title in zip(clean, titles, strict=True)]
    return [
        code and f"{code} {root}" for code, root in zip(clean, groups(len(codes), same_title, pairs=pairs), strict=True)
    ]
