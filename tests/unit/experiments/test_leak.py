"""The table that shows what a split inflates."""

from genres.experiments.leak import table


def row(arch: str, protocol: str, accuracy: float) -> dict:
    interval = {"track_accuracy_ci95_low": accuracy - 0.1, "track_accuracy_ci95_high": accuracy + 0.1}
    return {
        "arch": arch,
        "protocol": protocol,
        "track_accuracy": accuracy,
        "clip_accuracy": 0.5,
        "test_tracks": 40,
    } | interval


def test_each_protocol_is_a_column_and_the_leaky_one_says_so():
    rows = [row("one", "clip", 0.9), row("two", "clip", 0.8), row("one", "artist", 0.6)]
    assert table(rows).splitlines() == [
        "| architecture | `clip` (leaky) | `artist` |",
        "| --- | --- | --- |",
        "| one | 90.0% [80%, 100%] of 40 tracks, 50.0% of clips | 60.0% [50%, 70%] of 40 tracks, 50.0% of clips |",
        "| two | 80.0% [70%, 90%] of 40 tracks, 50.0% of clips |  |",
    ]
