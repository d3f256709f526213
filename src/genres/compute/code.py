"""Transfer of this project's code to the workers, which have its environment but not its code.

The client sends it as a zip, also to workers that join later.
"""

import hashlib
import importlib.metadata
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Packages that affect results: the workers need the same versions.
PACKAGES = ("distributed", "numpy", "scipy", "soundfile", "soxr", "av", "pyloudnorm", "pydantic", "keras", "tensorflow")


def packed() -> tuple[bytes, str]:
    """Return the package `genres` as a zip, the same bytes for the same code, and a digest of it."""
    folder, zipped = Path(__file__).resolve().parents[1], io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*.py")):
            entry = zipfile.ZipInfo(path.relative_to(folder.parent).as_posix())
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return zipped.getvalue(), hashlib.sha256(zipped.getvalue()).hexdigest()[:16]


def versions() -> tuple[tuple[str, str], ...]:
    """Return name and version of each package that the workers need in the same version."""
    return tuple((name, importlib.metadata.version(name)) for name in PACKAGES)


def plugin(code: bytes, digest: str) -> Any:
    """Return a plugin that unpacks the code on each worker.

    Its class is local, so that Dask pickles it by value and not by name. Dask's own UploadDirectory works only where
    workers have a nanny, and restarts them to replace an earlier version.
    """
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
            # Unpacked, since some modules read files beside them.
            with zipfile.ZipFile(io.BytesIO(self.code)) as archive:
                archive.extractall(folder)
            sys.path[:] = [str(folder), *(path for path in sys.path if "music-genres-" not in path)]
            for name in [name for name in sys.modules if name == "genres" or name.startswith("genres.")]:
                del sys.modules[name]  # modules of an earlier version
            importlib.invalidate_caches()

    return Code(code, digest)


def performer() -> Callable[..., tuple[str, Any]]:
    """Return the function that runs a task on a worker, and returns an error message (or "") and the result.

    It is local, so that Dask pickles it by value: the scheduler does not have this project's code.
    """

    def perform(digest: str, versions: tuple[tuple[str, str], ...], call: bytes) -> tuple[str, Any]:
        import importlib
        import pickle

        from distributed import get_worker

        worker = get_worker()
        code: Any = worker.plugins.get("music-genres")
        if code is None or code.digest != digest:
            return (
                f"worker {worker.address} has another version of the code; use the cluster for one run at a time",
                None,
            )
        module = importlib.import_module("genres.compute.worker")
        problem = module.version_mismatch(worker.address, versions)
        if problem:
            return problem, None
        function, arguments = pickle.loads(call)
        return "", function(*arguments)

    return perform
