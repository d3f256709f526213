"""Terminal output: one-line errors, progress bars, tables.

Every ``main()`` of the pipeline is wrapped in :func:`command`: an error that the user can fix prints one line and
exits with status 2; a traceback always means a bug.
"""

import errno
import functools
import io
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table
from rich.text import Text
from tqdm import tqdm

from genres.core import checkout

T = TypeVar("T")


class UserError(Exception):
    """An error that the user can fix; the message is one line that names the file or key and the cure."""

    status = 2  # the command's exit status


def command(main: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command so that its expected errors print one line on stderr and exit with status 2.

    What the terminal's encoding lacks is printed as "?". In an experiment whose results DVC would lose it does not run.
    """

    @functools.wraps(main)
    def wrapper(*arguments: Any) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):  # stderr replaces by itself
            sys.stdout.reconfigure(errors="replace")
        try:
            if reason := checkout.lost_experiment():
                raise UserError(reason)
            main(*arguments)
        except UserError as error:
            _fail(str(error))
            sys.exit(error.status)
        except OSError as error:
            reason = _system_error_message(error)
            if reason is None:
                raise
            _fail(reason)
            sys.exit(UserError.status)
        except KeyboardInterrupt:
            print("\ninterrupted: run the same command again to continue", file=sys.stderr)
            sys.exit(130)

    return wrapper


def _system_error_message(error: OSError) -> str | None:
    """Return a message for a full, read-only or forbidden disk; None for any other error, which must be a bug."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" while writing {error.filename}" if error.filename else ""
        return f"the disk is full{where}: free some space and run the same command again; finished work is kept"
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM) and error.filename:
        return f"{error.filename}: {error.strerror}: give this user read and write permission there"
    return None


def _fail(message: str) -> None:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)


def warn(message: str) -> None:
    """Print one line of warning on stderr."""
    print(f"warning: {' '.join(message.split())}", file=sys.stderr)


def progress(items: Iterable[T], *, total: int | None = None, what: str, unit: str = "track") -> Iterable[T]:
    """Wrap `items` in a progress bar; silent if stderr is not a terminal."""
    return tqdm(items, total=total, desc=what, unit=unit, disable=not sys.stderr.isatty())


def print_table(title: str, header: list[str], rows: list[list[Any]], footer: list[Any] | None = None) -> None:
    """Print a table; the first column is text, the others are right-aligned."""
    table = Table(show_footer=footer is not None)
    # Texts are not markup: "[/b]" may be in a name.
    for position, name in enumerate(header):
        bottom = Text(str(footer[position]) if footer is not None else "")
        table.add_column(Text(name), bottom, justify="left" if position == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    # Without a terminal rich assumes 80 columns and would break the rows of wide tables in log files.
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(title, style="bold", highlight=False, markup=False)
    console.print(table)
