"""What people see on the terminal: one-line errors, progress bars, tables.

Every ``main()`` of the pipeline is wrapped in :func:`command`, so that what the user can mend comes as one line
and exit status 2, and a traceback always means a bug.
"""

import errno
import functools
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

T = TypeVar("T")


class UserError(Exception):
    """Something that the user can mend: the message is one line that names the file or key and the way out."""

    status = 2  # the command's exit status


def command(main: Callable[..., None]) -> Callable[..., None]:
    """Turn the expected errors of a command into one line on stderr and exit status 2."""

    @functools.wraps(main)
    def wrapper(*arguments: Any) -> None:
        try:
            main(*arguments)
        except UserError as error:
            _fail(str(error))
            sys.exit(error.status)
        except OSError as error:
            reason = _of_the_system(error)
            if reason is None:
                raise
            _fail(reason)
            sys.exit(UserError.status)
        except KeyboardInterrupt:
            print("\ninterrupted: run the same again to go on from here", file=sys.stderr)
            sys.exit(130)

    return wrapper


def _of_the_system(error: OSError) -> str | None:
    """What the user can do about a full, read-only or closed disk; None for what must be a bug."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" while writing {error.filename}" if error.filename else ""
        return f"the disk is full{where}: free some space and run the same again, what is done is kept"
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM) and error.filename:
        return f"{error.filename}: {error.strerror}: this user must be allowed to read and write there"
    return None


def _fail(message: str) -> None:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)


def warn(message: str) -> None:
    """Print one line of warning on stderr."""
    print(f"warning: {' '.join(message.split())}", file=sys.stderr)


def progress(items: Iterable[T], *, total: int | None = None, what: str, unit: str = "track") -> Iterable[T]:
    """Wrap `items` in a progress bar; silent where stderr is not a terminal."""
    return tqdm(items, total=total, desc=what, unit=unit, disable=not sys.stderr.isatty())


def print_table(title: str, header: list[str], rows: list[list[Any]], footer: list[Any] | None = None) -> None:
    """Print a table; the first column is text, the others are right-aligned."""
    table = Table(show_footer=footer is not None)
    for position, name in enumerate(header):
        bottom = str(footer[position]) if footer is not None else ""
        table.add_column(name, bottom, justify="left" if position == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(str, row))
    # Not a terminal: rich would fold to 80 columns and break the rows of wide tables in log files.
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(title, style="bold", highlight=False)
    console.print(table)
