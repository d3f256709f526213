"""Tables as spreadsheet programs write them."""

import math
from pathlib import Path

import pytest

from genres.core.console import UserError
from genres.core.tables import decimal, read_user_table

ROWS = [
    {"path": "rock/a.wav", "genre": "rock", "artist": "Tom, Dick"},
    {"path": "b.wav", "genre": "pop", "artist": "É"},
]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ('path,genre,artist\nrock/a.wav,rock,"Tom, Dick"\nb.wav,pop,É\n', "utf-8"),
        ('Path, Genre ,ARTIST\r\n\r\nrock/a.wav,rock ,"Tom, Dick"\r\n,,\r\nb.wav,pop,É\r\n', "utf-8-sig"),
        ("path;genre;artist\nrock/a.wav;rock;Tom, Dick\nb.wav;pop;É\n;;\n", "cp1252"),
        ("sep=;\npath;genre;artist\nrock/a.wav;rock;Tom, Dick\nb.wav;pop;É\n", "utf-8"),
        ("path\tgenre\tartist\nrock/a.wav\trock\tTom, Dick\nb.wav\tpop\tÉ\n", "utf-16"),
        ("path|genre|artist\nrock/a.wav|rock|Tom, Dick\nb.wav|pop|É\n", "utf-8"),
    ],
)
def test_every_form_is_one_table(tmp_path: Path, text: str, encoding: str) -> None:
    (tmp_path / "tracks.csv").write_bytes(text.encode(encoding))
    assert read_user_table(tmp_path / "tracks.csv").to_dict("records") == ROWS


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"Pfad;Genre\na.wav;rock\n", "has no column 'path'; its columns, separated by semicolons, are: pfad, genre"),
        (b"PK\x03\x04\xff\x00", "cannot be read as a CSV table .* not as a workbook"),
        (
            b"path,genre\nTom, Dick.wav,rock\n",
            "cannot be read as a CSV table with commas .* needs quotes",
        ),
    ],
)
def test_what_is_no_table_is_one_line(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "tracks.csv").write_bytes(content)
    with pytest.raises(UserError, match=rf"tracks\.csv: {says}"):
        read_user_table(tmp_path / "tracks.csv", ("path", "genre"))


def test_decimal_commas() -> None:
    assert (decimal("224,6"), decimal("224.6")) == (224.6, 224.6)
    assert math.isnan(decimal("four"))
