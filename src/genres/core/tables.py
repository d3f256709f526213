"""Read tables that people make by hand or with a spreadsheet program."""

import csv
import io
import warnings
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from genres.core.console import UserError, warn
from genres.core.names import same_text

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_SHOWN = 12  # columns of a message
_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}


def read_user_table(path: Path, required: Iterable[str] = ()) -> pd.DataFrame:
    """Read a table with commas, semicolons, tabs or bars between its cells.

    Returns
    -------
    pd.DataFrame
        All cells as text without outer blanks, without empty rows; names of columns in lower case without outer blanks.

    Raises
    ------
    UserError
        If the file is missing, is no such table, or lacks a required column; then it names those that there are.
    """
    text = _text(path).lstrip("\n")
    first, _, rest = text.partition("\n")
    if first.lower().startswith("sep="):  # Excel's hint
        separator, text = first[4:5], rest
    else:
        separator = max(_SEPARATORS, key=lambda sign: len(next(csv.reader([first], delimiter=sign), [])))
    between = _SEPARATORS.get(separator, f"'{separator}'")
    try:
        with warnings.catch_warnings():
            # A row has more cells than the header, mostly because a cell with a comma is not quoted.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                io.StringIO(text),
                sep=separator,
                dtype=str,
                keep_default_na=False,
                index_col=False,
                skipinitialspace=True,
            )
    except (pd.errors.EmptyDataError, pd.errors.ParserError, pd.errors.ParserWarning) as error:
        hint = "; a cell with one needs quotes" if isinstance(error, pd.errors.ParserWarning) else ""
        raise UserError(
            f"{path}: cannot be read as a CSV table with {between} between its cells ({error}){hint}"
        ) from None
    table = table.fillna("").map(str.strip)
    table = table[(table != "").any(axis=1)].reset_index(drop=True)
    table.columns = pd.Index([same_text(str(name)) for name in table.columns])
    for column in required:
        if column not in table:
            names = [str(name) for name in table.columns]
            more = f", … ({len(names)})" if len(names) > _SHOWN else ""
            raise UserError(
                f"{path}: has no column '{column}'; its columns, separated by {between}, are: "
                f"{', '.join(names[:_SHOWN])}{more}; rename one"
            )
    return table


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8" or b"\0" in content or content.startswith(b"PK"):
            raise UserError(
                f"{path}: cannot be read as a CSV table ({error}); save it as 'CSV UTF-8', not as a workbook"
            ) from None
        warn(f"{path}: is not in UTF-8, so it is read as Windows-1252; if accents are wrong, save it as 'CSV UTF-8'")
        text = content.decode("cp1252", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def decimal(text: str) -> float:
    """Return a number that may have a decimal comma; NaN if it is none."""
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return float("nan")
