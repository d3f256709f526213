"""Look through a folder of songs for what DVC cannot hash, before it does.

DVC stops at a name that is not UTF-8 and at a broken link without naming the file, and waits for good at a named pipe.
"""

import os
import stat
from pathlib import Path

from genres.audio.walk import NOT_UNICODE, is_unicode, readable
from genres.core.console import UserError


def check(folder: Path) -> None:
    """Raise an error that names the first file below a folder that DVC cannot hash."""
    for place, _, names in os.walk(folder):
        for path in (Path(place, name) for name in sorted(names)):
            if not is_unicode(path):
                raise UserError(f"{readable(path)}: {NOT_UNICODE}")
            try:
                mode = path.stat().st_mode
            except OSError as error:
                raise UserError(f"{path}: cannot be opened ({error.strerror}): a broken link? Remove it") from None
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                raise UserError(f"{path}: is a pipe or device, which DVC would wait for: remove it")
