"""Songs from a source: one module a source, each with ``collect(recipe, raw_dir) -> pandas.DataFrame``.

A source says where the songs are and what is known of them (the columns of :data:`CANDIDATE_COLUMNS`); what follows
is the same for all of them and stands in src/genres/sources/inspect.py: decoding, checks, fingerprints, duplicates.
"""

CANDIDATE_COLUMNS = [
    "track_id",  # unique and stable
    "path",  # relative to data/raw/<dataset>/, or absolute where a file is read in place
    "genre",
    "artist",  # empty: unknown
    "title",
    "isrc",  # International Standard Recording Code; empty: unknown
    "source",  # demo, folder, mels, gtzan, or where a playlist's song was found: spotify, deezer_isrc, ...
    "split",  # train, val, test (the data set's own lists) or empty
    "song",  # of a remix pair: the pair's name; else empty
    "version",  # original or remix; else empty
    "rejected",  # why it is out before it is opened; else empty
]
