"""How this project's code comes to the workers, which have its environment, but neither its folder nor its code.

It travels with the client as a zip, to workers that join later, too.
"""

import hashlib
import importlib.metadata
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

# What decides the numbers, and must be the same on the workers.
PACKAGES = ("distributed", "numpy", "scipy", "soundfile", "soxr", "av", "pyloudnorm", "pydantic", "keras", "tensorflow")


def packed() -> tuple[bytes, str]:
    """The package `genres` as a zip, the same bytes for the same code, and what tells it from another version."""
    folder, zipped = Path(__file__).resolve().parents[1], io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*.py")):
            entry = zipfile.ZipInfo(path.relative_to(folder.parent).as_posix())
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return zipped.getvalue(), hashlib.sha256(zipped.getvalue()).hexdigest()[:16]


def versions() -> tuple[tuple[str, str], ...]:
    """Name and version of what must be the same on the workers."""
    return tuple((name, importlib.metadata.version(name)) for name in PACKAGES)


def plugin(code: bytes, digest: str) -> Any:
    """What unpacks the code on each worker; a class in a function, so that Dask sends it whole and not by its name."""
    from distributed import WorkerPlugin

    class Code(WorkerPlugin):
        def __init__(self, code: bytes, digest: str) -> None:
            self.code, self.digest = code, digest

        def setup(self, worker: Any) -> None:
            import importlib
            import io
            import pathlib
            import sys
            import zipfile

            folder = pathlib.Path(worker.local_directory) / f"music-genres-{self.digest}"
            if str(folder) in sys.path:
                return
            # In a folder, since some modules look at the files beside them.
            with zipfile.ZipFile(io.BytesIO(self.code)) as archive:
                archive.extractall(folder)
            sys.path[:] = [str(folder), *(path for path in sys.path if "music-genres-" not in path)]
            for name in [name for name in sys.modules if name == "genres" or name.startswith("genres.")]:
                del sys.modules[name]  # of an earlier version
            importlib.invalidate_caches()

    return Code(code, digest)


def performer() -> Callable[..., tuple[str, Any]]:
    """What runs a task on a worker: the one function that Dask sends whole, for its scheduler has no code of ours.

    Returns what is wrong with the worker, or the result.
    """

    def perform(
        digest: str, versions: tuple[tuple[str, str], ...], name: tuple[str, str], arguments: bytes
    ) -> tuple[str, Any]:
        import importlib
        import pickle

        from distributed import get_worker

        worker = get_worker()
        code: Any = worker.plugins.get("music-genres")
        if code is None or code.digest != digest:
            return f"worker {worker.address} has got another version of the code: one run at a time, please", None
        ours = importlib.import_module("genres.compute.worker")
        problem = ours.difference(worker.address, versions)
        return (problem, None) if problem else ("", ours.named(*name)(*pickle.loads(arguments)))

    return perform
