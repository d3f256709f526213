"""Lead the paths in the project's own MLflow database to the project's folder, after that was copied or renamed.

MLflow stores where files lie as absolute paths: files of new runs would go to the old folder, and those of earlier runs
would be missing. Works without MLflow, which takes seconds to load.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

# The first experiment tells where the database was made; later ones of another folder are somebody's choice.
FIRST = """
SELECT artifact_location FROM experiments
WHERE artifact_location GLOB 'file://*/mlruns' OR artifact_location GLOB 'file://*/mlruns/0'
ORDER BY experiment_id LIMIT 1
"""
PATHS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def mend(root: Path) -> str | None:
    """Change the paths that lead to the folder in which the database was made.

    A run's path stays if its files are only there.

    Parameters
    ----------
    root : Path
        The project, with mlflow.db and mlruns/.

    Returns
    -------
    str or None
        The old folder; None if the database was made here, or there is none that can be read.
    """
    database, here = root / "mlflow.db", (root / "mlruns").as_uri()
    if not database.is_file():
        return None
    with closing(sqlite3.connect(database)) as connection:
        try:
            first = connection.execute(FIRST).fetchone()
        except sqlite3.DatabaseError:
            return None  # MLflow says what is wrong with it
        old = str(first[0]).removesuffix("/0") if first else here
        if old == here:
            return None
        with connection:
            for table, column in PATHS:
                found = f"SELECT rowid, {column} FROM {table} WHERE substr({column}, 1, ?) IN (?, ? || '/')"
                for row, place in connection.execute(found, (len(old) + 1, old, old)).fetchall():
                    moved = here + place.removeprefix(old)
                    if table == "experiments" or _path(moved).exists() or not _path(place).exists():
                        connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (moved, row))
    return str(_path(old).parent)


def _path(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))
