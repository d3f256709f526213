"""Definitions of eleven genres as tables, read by src/genres/sources/demo/composition.py.

A pattern is one or more bars of sixteenth notes, one character each. For drums: ``X`` accent, ``x`` stroke, ``o`` soft
stroke, ``r`` roll, ``.`` rest. For everything with a pitch: ``x`` the whole chord (``X`` accented), ``1`` to ``6`` a
note of the chord counted from below, ``w`` a semitone below the next chord's root, ``-`` hold, ``.`` rest. For
melodies ``x`` is the next note.

No single cue identifies a genre: tempo ranges overlap, keys are random, and genres share instruments. Genres differ in
the combination of rhythm, articulation and arrangement.
"""

from dataclasses import dataclass

SWING_STRAIGHT = (0.5, 0.53)
LAYERS = ("drums", "bass", "chords", "colour", "melody")


@dataclass(frozen=True)
class Layer:
    """A pitched part of the accompaniment: each song draws one instrument and one pattern."""

    instruments: tuple[str, ...]
    patterns: tuple[str, ...]
    register: int  # MIDI pitch about which chords are voiced; for a bass, about which its root lies
    gain_db: float = 0.0
    power: bool = False  # root, fifth and octave only: thirds sound muddy through distortion
    strum_s: float = 0.0  # delay between the strings of a chord


@dataclass(frozen=True)
class Melody:
    """Parameters of melodies; a form has one letter per bar: equal letters share a rhythm, a dot is a silent bar."""

    instruments: tuple[str, ...]
    scales: tuple[str, ...]
    rhythms: tuple[str, ...]
    forms: tuple[str, ...] = ("AABC", "ABAC", "ABAB")
    register: int = 67
    leap: float = 1.3  # standard deviation of steps along the scale; 0 for speech, which stays at one pitch
    gain_db: float = 0.0


@dataclass(frozen=True)
class Style:
    """Definition of a genre."""

    tempo: tuple[float, float]  # range, quarter notes per minute
    kits: tuple[str, ...]
    grooves: tuple[dict[str, str], ...]  # drum: pattern
    fills: tuple[dict[str, str], ...]  # grooves for the last bar of a section
    bass: Layer
    chords: Layer
    colour: Layer  # a second accompaniment, in choruses
    melody: Melody
    verses: tuple[str, ...]  # chord progressions, one chord per bar or two joined by a slash
    choruses: tuple[str, ...]  # empty if the verse continues, as in a blues
    swing: tuple[float, float] = SWING_STRAIGHT  # range of the first note's share of a pair
    swing_steps: int = 1  # unit of the swing: 1 for sixteenths, 2 for eighths
    steps: int = 16  # sixteenths per bar
    looseness_s: float = 0.006  # standard deviation of the players' timing
    rubato: float = 0.0  # relative amplitude of the tempo's fluctuation
    drums_db: float = 0.0
    crash: bool = True  # crash cymbal on the first beat of a section
    pumping: float = 0.0  # share by which the kick drum ducks the other parts
    intros: tuple[str, ...] = ("drums chords", "drums bass chords", "drums chords colour")
    verse_layers: tuple[str, ...] = ("drums bass chords melody",)
    chorus_layers: tuple[str, ...] = ("drums bass chords colour melody",)
    breaks: tuple[str, ...] = ("drums bass chords", "drums chords melody", "drums chords colour")


TOM_FILLS: tuple[dict[str, str], ...] = (
    {"kick": "x.......x.......", "snare": "....X...XxXx....", "tom": "............XxXx"},
    {"kick": "x.......", "snare": "....X..x..Xx", "tom": "............Xx..", "low tom": "..............Xx"},
    {"kick": "x.......x...x...", "snare": "....X...X..X..X.", "hat": "x.x.x.x."},
)
MACHINE_FILLS: tuple[dict[str, str], ...] = (
    {"kick": "x.......", "snare": "....X...x.x.xxXX", "hat": "x.x.x.x.x.x."},
    {"kick": "x.....x.x.......", "clap": "....X.......X..X"},
    {"kick": "x...x...x.......", "snare": "....x...XxXxXxXx"},
)
MELODIC_RHYTHMS = (
    "x---x-x-x---x---",
    "..x-x-x---x-x---",
    "x-----x-x---x-x-",
    "x-x-x---x-x-x---",
    "..x-x-x-x---....",
    "x---..x-x-x-x---",
    "x--x--x---x-x---",
    "x-------x-x-x-x-",
)
SYNCOPATED_RHYTHMS = (
    "x--x--x-..x-x---",
    "..x--x--x--x-x--",
    "x-x--x--x---..x-",
    "...x--x-x--x----",
    "x--x--x--x--x-x-",
)

STYLES: dict[str, Style] = {
    # Twelve bars over a shuffle, a walking bass, and call-and-response guitar.
    "blues": Style(
        tempo=(72, 138),
        swing=(0.62, 0.68),
        swing_steps=2,
        kits=("acoustic", "tight"),
        grooves=(
            {"ride": "X.x.X.x.X.x.X.x.", "kick": "x.......x.......", "snare": "....X.......X..."},
            {"hat": "X.x.X.x.X.x.X.x.", "kick": "x.....x.x.......", "snare": "....X.......X.o."},
            {"hat": "X.x.X.x.X.x.X.x.", "kick": "x.......x.....o.", "snare": "..o.X.....o.X..."},
        ),
        fills=({"ride": "X.x.X.x.", "snare": "....X...X.xxX.xx"}, {"kick": "x...", "snare": "....X.x.X.x.X.x."}),
        bass=Layer(
            ("bass guitar", "bass guitar", "picked bass"),
            ("1---2---3---4---", "1---3---4---w---", "1---1-2-3---4-3-"),
            40,
        ),
        chords=Layer(
            ("electric guitar", "electric guitar", "piano", "overdriven guitar", "organ"),
            ("x.x.x.x.x.x.x.x.", "x-x.x-x.x-x.x-x.", "x.X.x.X.x.X.x.X."),
            58,
            -2,
            strum_s=0.008,
        ),
        colour=Layer(
            ("organ", "brass", "saxophone"), ("x-------........", "......x-x-......", "x---....x-x-...."), 62, -5
        ),
        melody=Melody(
            ("lead guitar", "overdriven guitar", "lead guitar", "low singer", "slide guitar"),
            ("blues", "minor pentatonic"),
            ("x-x-x-x---......", "..x-x-x-x-x-x---", "x---x-x-x-......", "x-x-x-----..x-x-", "....x-x-x-x-x---"),
            ("A.B.", "AAB.", "A.A."),
            66,
            1.6,
        ),
        verses=(
            "I7 I7 I7 I7 IV7 IV7 I7 I7 V7 IV7 I7 V7",
            "I7 IV7 I7 I7 IV7 IV7 I7 I7 V7 IV7 I7/IV7 I7/V7",
            "i7 i7 i7 i7 iv7 iv7 i7 i7 bVI7 V7 i7 V7",
        ),
        choruses=(),
        drums_db=2,
        looseness_s=0.01,
        crash=False,
    ),
    # Tamborzão rhythm: 3 + 3 + 4 + 3 + 3 on kick and hand drums, hardly any harmony, chanted fragments.
    "brazilian_funk": Style(
        tempo=(96, 142),
        kits=("machine", "club"),
        grooves=(
            {
                "kick": "X.....x...X.....",
                "snare": "...x..X...x..X..",
                "conga": "x..x..x.x..x..x.",
                "low conga": "..x....x..x..x..",
            },
            {
                "kick": "X..x....X..x....",
                "clap": "...X..X....X..X.",
                "low conga": "x..x..x...x..x..",
                "shaker": "x.x.x.x.x.x.x.x.",
            },
            {"kick": "X..x..x...x..x..", "snare": "...X..X....X..X.", "cowbell": "..x...x...x.x..."},
        ),
        fills=(
            {"kick": "X..x..X...X.....", "low conga": "xxx.xxx.xxx.x.xx"},
            {"conga": "x..x..x.x..x..x.", "clap": "X..X..X...X..X.X"},
        ),
        bass=Layer(
            ("sub bass", "synth bass", "square bass"),
            ("1--1--1---1-....", "1-....1---1..1..", "1--....1..1--1.."),
            38,
            -1,
        ),
        chords=Layer(
            ("plucked synth", "brass", "organ", "saw synth", "electric piano"),
            ("x..x..x.........", "..........x..x..", "x.....x...x....."),
            62,
            -5,
        ),
        colour=Layer(
            ("bell", "square synth", "marimba", "harp"),
            ("1..1..2...1..3..", "3..2..1.3..2..1.", "1..3..1...3..2.."),
            72,
            -4,
        ),
        melody=Melody(
            ("shouter", "shouter", "rapper", "square synth"),
            ("minor pentatonic", "natural minor"),
            ("x..x..x.x..x..x.", "x.xx..x...x..x..", "x..x..x...x.x...", "..x.xx.x..x..x.."),
            ("AAAB", "A.A.", "ABAB"),
            64,
            0.7,
        ),
        verses=("i i i i", "i bVII i bVII", "i i bVI bVII"),
        choruses=("i bVI bVII i", "i i iv iv"),
        looseness_s=0.003,
        crash=False,
        intros=("drums", "drums colour", "drums melody"),
        verse_layers=("drums bass melody", "drums melody", "drums bass melody"),
        chorus_layers=("drums bass chords colour melody", "drums bass colour melody"),
        breaks=("drums", "drums colour"),
    ),
    # No drums: broken chords, a lyrical melody, rubato.
    "classical": Style(
        tempo=(66, 140),
        kits=("acoustic",),
        grooves=({},),
        fills=({},),
        bass=Layer(
            ("strings", "strings", "piano"),
            ("1---------------", "1-------3-------", "1---..1---..3---"),
            45,
            -4,
        ),
        chords=Layer(
            ("piano", "piano", "harp", "nylon guitar"),
            ("1-4-3-4-1-4-3-4-", "1234543212345432", "1-3-5-3-1-3-5-3-", "x---------------", "1-345-341-345-34"),
            58,
            -1,
        ),
        colour=Layer(("strings", "strings", "pad"), ("x---------------", "1---3---2---4---"), 62, -4),
        melody=Melody(
            ("flute", "fiddle", "strings", "piano"),
            ("major", "natural minor", "harmonic minor"),
            (
                "x-------x---x---",
                "x---x-x-x---x---",
                "x-----x-x-x-x-x-",
                "x-x-x-x-xxxxx---",
                "x---------x-x-x-",
                "x---------------",
            ),
            ("ABAC", "AABC", "ABCD"),
            74,
            1.2,
        ),
        verses=("I V vi iii IV I IV V", "i iv V i bVI iv V V", "I IV I V I IV V I", "i V i bVII bIII iv i V"),
        choruses=("IV V I vi ii V I I", "i bVII bVI V"),
        looseness_s=0.014,
        rubato=0.05,
        crash=False,
        intros=("chords", "chords colour", "bass chords"),
        verse_layers=("bass chords melody", "chords melody"),
        chorus_layers=("bass chords colour melody",),
        breaks=("chords", "chords colour", "melody colour"),
    ),
    # A train beat on the snare, root and fifth in the bass, boom-chick strumming, sliding leads.
    "country": Style(
        tempo=(80, 150),
        kits=("acoustic", "tight"),
        grooves=(
            {"snare": "oxXooxXooxXooxXo", "kick": "x.......x......."},
            {"snare": "ooXoooXoooXoooXo", "kick": "x...x...x...x..."},
            {"snare": "oxXxoxXxoxXxoxXx", "kick": "x.......x......."},
        ),
        fills=(
            {"snare": "xxXxxxXxXxXxXxXx", "kick": "x.......x......."},
            {"snare": "oxXooxXoXxxxXxxx", "kick": "x..."},
        ),
        bass=Layer(
            ("bass guitar", "picked bass"),
            ("1---....3---....", "1---....3---..w.", "1-......3-......"),
            40,
        ),
        chords=Layer(
            ("steel guitar", "steel guitar", "nylon guitar"),
            ("1...x-..2...x-..", "1...x-x.2...x-x.", "1...X...2...X.x."),
            59,
            0,
            strum_s=0.014,
        ),
        colour=Layer(
            ("banjo", "banjo", "slide guitar"),
            ("1231423112314231", "12.31.3212.31.32"),
            66,
            -3,
        ),
        melody=Melody(
            ("low singer", "singer", "fiddle", "slide guitar", "slide guitar"),
            ("major pentatonic", "major"),
            ("x---x-x-x-x-x---", "x-x-x---x-x-....", "x-xxx-x-x---x-x-", "..x-x-x-x-------"),
            ("ABAC", "AAB.", "ABAB"),
            67,
            1.4,
        ),
        verses=("I I IV I I I V V", "I IV I V", "I I IV V", "I V IV I"),
        choruses=("IV I V I", "IV IV I I V V I I", "I IV V I"),
        drums_db=1,
        looseness_s=0.008,
        crash=False,
    ),
    # Four on the floor, open hi-hats on the off-beats, octaves in the bass, strings.
    "disco": Style(
        tempo=(98, 136),
        kits=("club", "acoustic", "tight"),
        grooves=(
            {
                "kick": "X...X...X...X...",
                "open hat": "..X...X...X...X.",
                "hat": "x...x...x...x...",
                "snare": "....x.......x...",
            },
            {
                "kick": "X...X...X...X...",
                "open hat": "..X...X...X...X.",
                "hat": "xx.xxx.xxx.xxx.x",
                "clap": "....X.......X...",
            },
            {
                "kick": "X...X...X...X...",
                "open hat": "..x...x...x...x.",
                "conga": "x..x.xx.x..x.xx.",
                "clap": "....X.......X...",
            },
        ),
        fills=(
            {"kick": "X...X...X...X...", "snare": "....x...XxXxXxXx", "open hat": "..x...x."},
            {"kick": "X...X...X.......", "tom": "........X.xxX.xx", "open hat": "..x...x."},
        ),
        bass=Layer(
            ("bass guitar", "picked bass", "synth bass"),
            ("1.5.1.5.1.5.1.5.", "..1.5.1...1.5.15", "1.151.151.151.15"),
            40,
            1,
        ),
        chords=Layer(
            ("muted guitar", "muted guitar", "electric guitar", "electric piano"),
            ("x.xxx.xxx.xxx.xx", "..xx..xx..xx..x.", "xxx.xx.xxxx.xx.x"),
            62,
            -1,
            strum_s=0.004,
        ),
        colour=Layer(
            ("strings", "strings", "brass"),
            ("x-----------....", "x-.x-...........", "x-------......xx"),
            67,
            -2,
        ),
        melody=Melody(
            ("singer", "singer", "saxophone", "strings", "saw synth"),
            ("natural minor", "major", "minor pentatonic"),
            SYNCOPATED_RHYTHMS + MELODIC_RHYTHMS[:3],
            register=69,
        ),
        verses=("i7 i7 iv7 iv7", "i7 IV7 i7 IV7", "ii7 V7 Imaj7 vi7"),
        choruses=("bVImaj7 bVII7 i7 i7", "ii7 V7 Imaj7 IVmaj7", "iv7 bVII7 bIIImaj7 bVImaj7"),
        drums_db=1,
        looseness_s=0.005,
    ),
    # Swung sixteenths under an electric piano loop; sparse.
    "hiphop": Style(
        tempo=(74, 116),
        swing=(0.56, 0.64),
        kits=("acoustic", "machine", "club"),
        grooves=(
            {"kick": "X......x..x.....", "snare": "....X.......X...", "hat": "x.x.x.xox.x.x.x."},
            {"kick": "X.x.......xx....", "snare": "....X..o.o..X...", "hat": "x.x.x.x.x.xox.x."},
            {"kick": "X.....x...x..x..", "snare": "....X.......X..o", "hat": "x.xox.x.x.xox.x."},
        ),
        fills=(
            {"kick": "X......x........", "snare": "....X.......X.XX"},
            {"kick": "X.x.......", "snare": "....X..x..x.X...", "open hat": "..............x."},
        ),
        bass=Layer(
            ("bass guitar", "sub bass", "synth bass", "square bass"),
            ("1-----.1..1--...", "1--..1....3-1-..", "1-.....1--.3-..."),
            38,
            1,
        ),
        chords=Layer(
            ("electric piano", "electric piano", "piano", "pad"),
            ("x-----------....", "x-----.x--......", "x--.......x-----"),
            62,
            -2,
        ),
        colour=Layer(
            ("brass", "strings", "bell", "flute"),
            ("x-..............", "....x-.......x-.", "3---..2-1-------"),
            67,
            -5,
        ),
        melody=Melody(
            ("rapper", "flute", "saxophone", "electric piano"),
            ("minor pentatonic", "natural minor"),
            ("..x-..x-x---....", "x-.xx-.x--......", "....x--x--x-....", "x-x..x-x-..x----"),
            ("A.B.", "ABA.", "A.A."),
            62,
            1.0,
            -2,
        ),
        verses=("i7 iv7 i7 v7", "ii7 V7 Imaj7 Imaj7", "i7 i7 bVImaj7 V7"),
        choruses=("i7 bVImaj7 iv7 V7", "Imaj7 vi7 ii7 V7"),
        looseness_s=0.009,
        crash=False,
        verse_layers=("drums bass chords melody", "drums bass chords"),
    ),
    # Double bass drum, palm-muted sixteenths, power chords a semitone apart.
    "metal": Style(
        tempo=(98, 168),
        kits=("tight", "acoustic", "club"),
        grooves=(
            {
                "kick": "xxxxxxxxxxxxxxxx",
                "snare": "....X.......X...",
                "crash": "x.......x.......",
                "ride": "x...x...x...x...",
            },
            {"kick": "x.xxx.xxx.xxx.xx", "snare": "....X.......X...", "ride": "X...X...X...X..."},
            {"kick": "x.x.x.x.x.x.x.x.", "snare": ".x.x.x.x.x.x.x.x", "ride": "x.x.x.x.x.x.x.x."},
            {"kick": "xxxxxxxxxxxxxxxx", "snare": "........X.......", "open hat": "x...x...x...x..."},
        ),
        fills=(
            {"kick": "xxxxxxxxxxxxxxxx", "snare": "XxxxXxxx", "tom": "........XxxxXxxx"},
            {"kick": "x.x.x.x.xxxxxxxx", "snare": "XxXxXxXxXxXxXxXx"},
        ),
        bass=Layer(
            ("picked bass", "bass guitar", "synth bass"),
            ("1111111111111111", "1.111.111.111.11", "1.1.1.1.1.1.1.1."),
            36,
        ),
        chords=Layer(
            ("chugging guitar", "chugging guitar", "distorted guitar"),
            ("x111x111x1111111", "1111x.111111x.x.", "x11x11x11x11x1x1"),
            46,
            1,
            power=True,
        ),
        colour=Layer(
            ("distorted guitar", "overdriven guitar", "strings"),
            ("x-------x-------", "x---------------", "1213121412131214"),
            52,
            -2,
            power=True,
        ),
        melody=Melody(
            ("shouter", "lead guitar", "distorted guitar"),
            ("harmonic minor", "phrygian"),
            ("xxxxxxxxxxxxxxxx", "x-xxx-xxx-xxx-xx", "x-------x---x---", "xxx.xxx.x---x---", "x-x-x-x-x---xxxx"),
            register=66,
            leap=1.1,
            gain_db=-2,
        ),
        verses=("i i bII i", "i i bVI bVII", "i bII i bV", "i i i bII/bIII"),
        choruses=("i bVI bIII bVII", "i bVI iv V", "i bII bVI bVII"),
        looseness_s=0.004,
        drums_db=2,
    ),
    # Four chords, a hook that repeats, arpeggios on eighths, claps.
    "pop": Style(
        tempo=(86, 138),
        kits=("club", "acoustic", "machine", "tight"),
        grooves=(
            {"kick": "X.....x.x.......", "clap": "....X.......X...", "hat": "..x...x...x...x."},
            {"kick": "X...x...X...x...", "clap": "....X.......X...", "shaker": "x.xxx.xxx.xxx.xx"},
            {"kick": "X.....x.X.....x.", "clap": "....X.......X...", "shaker": "..x...x...x...x."},
        ),
        fills=MACHINE_FILLS,
        bass=Layer(
            ("synth bass", "bass guitar", "square bass", "picked bass"),
            ("1-1-1-1-1-1-1-1-", "1-----1-1---1-1-", "1---------1-1---"),
            38,
        ),
        chords=Layer(
            ("pad", "pad", "saw synth", "piano"),
            ("x---------------", "x-----x---x-----", "x---x---x---x---", "x-----x---------"),
            62,
            -2,
            strum_s=0.006,
        ),
        colour=Layer(
            ("plucked synth", "plucked synth", "bell", "square synth"),
            ("1-3-2-3-1-3-2-3-", "1-2-3-4-5-4-3-2-", "3-1-2-3-1-2-3-1-"),
            74,
            -3,
        ),
        melody=Melody(
            ("singer", "singer", "low singer"),
            ("major pentatonic", "major"),
            MELODIC_RHYTHMS + SYNCOPATED_RHYTHMS[:2],
            ("AABC", "AAAB", "ABAB"),
            68,
            gain_db=1,
        ),
        verses=("vi IV I V", "I V vi IV", "I vi IV V", "IV I V vi"),
        choruses=("I V vi IV", "IV V vi I", "vi IV I V", "I IV vi V"),
        looseness_s=0.005,
        pumping=0.7,
        verse_layers=("drums bass chords colour melody", "drums bass colour melody"),
    ),
    # Half-time claps, rolling hi-hats, long bass notes, and syllables on almost every sixteenth.
    "rap": Style(
        tempo=(76, 152),
        kits=("machine", "club", "tight"),
        grooves=(
            {"kick": "X......x..x.....", "clap": "........X.......", "hat": "x.x.x.xrx.x.xrx."},
            {"kick": "X.....x....x..x.", "snare": "........X.......", "hat": "xxxxxxxrxxxxxxrr"},
            {
                "kick": "X..x......x.....",
                "clap": "........X......o",
                "hat": "x.xrx.x.xxxxx.rr",
                "open hat": "..........x.....",
            },
        ),
        fills=(
            {"clap": "........X.....XX", "hat": "xrxrxrxrrrrrrrrr"},
            {"kick": "X.......", "snare": "........X..X..XX", "hat": "x.x.x.x."},
        ),
        bass=Layer(
            ("sub bass", "sub bass", "square bass"),
            ("1------1--1-----", "1-----1----1--..", "1--1------1-----"),
            34,
            2,
        ),
        chords=Layer(
            ("bell", "piano", "harp", "bell"),
            ("1--2--3--2--1---", "3--1--2-3--1--2-", "1-2-3---1-2-3---", "x-------........"),
            67,
            -4,
        ),
        colour=Layer(
            ("pad", "strings", "brass", "flute"),
            ("x---------------", "x---------......"),
            62,
            -6,
        ),
        melody=Melody(
            ("rapper", "rapper", "shouter"),
            ("natural minor", "minor pentatonic"),
            ("xxxxx.xxx.xxxxx.", "x.xxxxx.xxx.xxxx", "xxx.xxx.xxxxx.x.", "..xxxxxxx.xx.xx."),
            ("ABAC", "ABCB", "AABA"),
            50,
            0.0,
            1,
        ),
        verses=("i i bVI bVI", "i i i i", "i bVI i V"),
        choruses=("i bVI iv V", "i i bVI bVII"),
        looseness_s=0.005,
        crash=False,
        intros=("drums chords", "drums bass chords"),
        verse_layers=("drums bass chords melody", "drums bass melody"),
        breaks=("drums bass chords", "drums melody"),
    ),
    # One drop on the third beat, short chords on every off-beat, a melodic bass.
    "reggae": Style(
        tempo=(70, 148),
        swing=(0.5, 0.58),
        kits=("acoustic", "tight", "machine"),
        grooves=(
            {"kick": "........X.......", "rim": "........X.......", "hat": "x.o.x.o.x.o.x.oo"},
            {"kick": "........X.......", "snare": "........X.....o.", "hat": "..x...x...x...x."},
            {"kick": "x...x...x...x...", "rim": "........X..o....", "hat": "x.oox.oox.oox.oo"},
        ),
        fills=(
            {"rim": "X..X..X.", "tom": "........X..X..X.", "kick": "........x......."},
            {"snare": "..X..X..X.XX....", "low tom": "............X.X."},
        ),
        bass=Layer(
            ("bass guitar", "sub bass", "synth bass", "picked bass"),
            ("1--1--3---5-3-..", "..1-1-3-....3-1-", "1---..1-3-2-1-..", "1-1.....3-5-3-1-"),
            38,
            2,
        ),
        chords=Layer(
            ("electric guitar", "muted guitar", "muted guitar", "piano", "organ"),
            ("..X...X...X...X.", "..Xx..X...Xx..X."),
            62,
            0,
            strum_s=0.005,
        ),
        colour=Layer(
            ("organ", "organ", "electric piano", "brass"),
            (".x.x.x.x.x.x.x.x", "..xx..xx..xx..xx", "x-.x-.......x---"),
            60,
            -4,
        ),
        melody=Melody(
            ("singer", "low singer", "saxophone", "organ"),
            ("major pentatonic", "natural minor", "major"),
            ("..x-x-x---......", "x-----x-x-x-....", "..x--x--x-......", "x---x---..x-x---"),
            ("A.B.", "ABA.", "AAB."),
            66,
        ),
        verses=("I IV I IV", "I V vi IV", "i iv i iv", "I ii I ii"),
        choruses=("IV I V I", "vi V IV I", "i bVII bVI bVII"),
        looseness_s=0.009,
        crash=False,
    ),
    # A backbeat, eighths on the hi-hat, crashes, guitars strummed through an overdriven amplifier.
    "rock": Style(
        tempo=(88, 150),
        kits=("acoustic", "tight"),
        grooves=(
            {"kick": "X.....x.x.......", "snare": "....X.......X...", "open hat": "X.x.X.x.X.x.X.x."},
            {"kick": "X.x.....x.x.....", "snare": "....X.......X...", "open hat": "x.x.x.x.x.x.x.x."},
            {"kick": "X.......x.x...x.", "snare": "....X.......X...", "crash": "X...x...X...x..."},
            {
                "kick": "X.....x...x.....",
                "snare": "....X.......X...",
                "crash": "x.......x.......",
                "open hat": "X.x.X.x.X.x.X.x.",
            },
        ),
        fills=TOM_FILLS,
        bass=Layer(
            ("picked bass", "bass guitar"),
            ("1-1-1-1-1-1-1-1-", "1-1-1-1-1-1-3-w-", "1---1-1-1---1-1-"),
            38,
        ),
        chords=Layer(
            ("overdriven guitar", "distorted guitar"),
            ("x-----x-x-------", "x-----x-x-----x-", "x---x-x-x---x-x-"),
            50,
            1,
            power=True,
            strum_s=0.006,
        ),
        colour=Layer(
            ("electric guitar", "overdriven guitar", "organ"),
            ("1-2-3-2-1-2-3-2-", "x---------------", "x---x---x---x---"),
            62,
            -3,
        ),
        melody=Melody(
            ("low singer", "shouter", "singer", "lead guitar"),
            ("minor pentatonic", "major pentatonic", "mixolydian"),
            MELODIC_RHYTHMS,
            ("AAB.", "ABAC", "ABAB"),
            67,
            1.4,
        ),
        verses=("I I IV I", "I bVII IV I", "i bVII IV i", "I V IV IV"),
        choruses=("I V IV V", "IV I V V", "i bVI bIII bVII", "I IV V IV"),
        looseness_s=0.008,
        drums_db=1,
    ),
}
