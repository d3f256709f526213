"""Sources of songs: one module each, with a class `Source` (src/genres/sources/source.py).

A source lists the songs, their files and their metadata (the columns of :data:`CANDIDATE_COLUMNS`), inspects them, and
may leave some out.
"""

CANDIDATE_COLUMNS = [
    "track_id",  # unique and stable
    "path",  # relative to data/raw/<dataset>/, or absolute where a file is read in place
    "genre",
    "artist",  # empty: unknown
    "title",
    "isrc",  # International Standard Recording Code; empty: unknown
    "source",  # demo, folder, library, mels, gtzan, or the source of a playlist song's audio: spotify, deezer_isrc, ...
    "split",  # train, val, test (the data set's own lists) or empty
    "song",  # name of the remix pair; else empty
    "version",  # original or remix; else empty
    "rejected",  # reason for a rejection before the file is opened; else empty
]
