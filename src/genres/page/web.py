"""Write a page that predicts in the browser alone: a static folder for any file server.

    genres web [--model ARCHITECTURE] [--output web]

The folder has the exported model and onnxruntime-web, which npm fetches into .cache once. Songs never leave the
visitor's device, and after the first visit the page works offline: docs/serve.md.
"""

import argparse
import base64
import hashlib
import json
import shlex
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from genres.core.console import UserError, command
from genres.core.files import atomic
from genres.core.paths import cache_dir, export_stage

VERSION = "1.30.0"
PACKAGE = f"onnxruntime-web@{VERSION}"
# Of the package in npm's registry, in its own notation.
INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="

# The one build without WebGPU, and its name in the folder: some servers do not know that .mjs is JavaScript.
RUNTIME = {"dist/ort.wasm.bundle.min.mjs": "ort.js", "dist/ort-wasm-simd-threaded.wasm": "ort.wasm"}

HERE = Path(__file__).parent
# Look and cursor are those of the page of `genres app`.
STATIC = [HERE / "page.css", HERE / "page.js", *sorted((HERE / "static").iterdir())]
WORKER, ABOUT = "sw.js", "model.json"


@command
def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="genres web", description=__doc__.splitlines()[0])
    parser.add_argument("--model", metavar="ARCHITECTURE", help="or an .onnx file (default: that of `genres predict`)")
    parser.add_argument("--output", type=Path, default=Path("web"), metavar="DIR", help="default: %(default)s")
    given = parser.parse_args(arguments)
    from genres.inference.classifier import choose_model  # imported here, so that --help is quick

    folder, model_file = given.output, choose_model(given.model)
    if model_file.suffix != ".onnx":
        stage = shlex.quote(export_stage(model_file.stem))
        raise UserError(f"{model_file}: a browser runs exported models only; export it: dvc repro {stage}")
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file; choose a folder by --output")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / ABOUT).exists():
        raise UserError(f"{folder}: has other files; choose a folder of its own by --output")
    files = page_of(model_file)
    for name, content in files.items():
        with atomic(folder / name) as temporary:
            temporary.write_bytes(content)
    size = sum(map(len, files.values()))
    print(f"{folder}: {size / 1e6:.1f} MB in {len(files)} files; {json.loads(files[ABOUT])['about']}")
    print(f"Try it: python3 -m http.server --directory {shlex.quote(str(folder))} --bind 127.0.0.1 8000")


def page_of(model_file: Path) -> dict[str, bytes]:
    """Return the files of the page by name.

    Raises
    ------
    UserError
        If the model is damaged or another program's, or onnxruntime-web cannot be had.
    """
    about = json.dumps(about_model(model_file), indent=1, allow_nan=False)
    files = {file.name: file.read_bytes() for file in STATIC}
    files |= runtime() | {"model.onnx": model_file.read_bytes(), ABOUT: about.encode()}
    # A browser takes a new version of the page when this file is another.
    digest = hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in files.values())).hexdigest()
    names = ["./", *sorted(files.keys() - {WORKER, "index.html"})]
    files[WORKER] = f"const [VERSION, FILES] = {json.dumps([digest[:16], names])};\n".encode() + files[WORKER]
    return files


def about_model(model_file: Path) -> dict[str, Any]:
    """Return what the page has to know of a model: genres, input, limits and origin."""
    from genres.audio.decode import SILENCE_PEAK
    from genres.audio.format import Format
    from genres.core.text import display_name
    from genres.data.windows import Windowing
    from genres.inference.answer import origin
    from genres.models.card import read_card
    from genres.page.listening import LEAST_SECONDS, MOST_MEGABYTES, MOST_MINUTES

    card = read_card(model_file)
    form, windowing = Format(**card["spectrogram"]), Windowing(**card["windowing"])
    return {
        "architecture": card["architecture"],
        "about": origin(card["architecture"], card["dataset"], card["protocol"], card.get("pretrained_on")),
        "licence": card.get("license"),
        "runtime": PACKAGE,
        "genres": card["genres"],
        "labels": [display_name(genre) for genre in card["genres"]],
        "candidates": card.get("genre_tags", card["genres"]),
        "threshold": card.get("out_of_distribution", {}).get("threshold"),
        "sample_rate": form.sample_rate,
        "frame_rate": form.frame_rate,
        "n_fft": form.n_fft,
        "window_frames": windowing.frames(form),
        "length_s": windowing.length_s,
        "step_s": windowing.length_s - windowing.overlap_s,
        "silence_peak": SILENCE_PEAK,
        "least_seconds": LEAST_SECONDS,
        "most_minutes": MOST_MINUTES,
        "most_megabytes": MOST_MEGABYTES,
    }


def runtime() -> dict[str, bytes]:
    """Return the files of onnxruntime-web by their names in the folder; npm fetches the package if it is not in .cache.

    Raises
    ------
    UserError
        If there is no npm or no network, or the package is not the expected one.
    """
    archive = cache_dir("npm") / f"onnxruntime-web-{VERSION}.tgz"
    if not archive.is_file():
        _fetch(archive)
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != INTEGRITY:
        archive.unlink()
        raise UserError(f"{archive}: is not the expected {PACKAGE} (SHA-512); deleted: run the same command again")
    with tarfile.open(archive) as opened:
        members = {name: opened.extractfile(f"package/{member}") for member, name in RUNTIME.items()}
        return {name: member.read() for name, member in members.items() if member is not None}


def _fetch(archive: Path) -> None:
    with tempfile.TemporaryDirectory(dir=archive.parent) as temporary:
        options = ["--pack-destination", temporary, "--ignore-scripts", "--fetch-retries", "1", "--loglevel", "error"]
        try:
            done = subprocess.run(["npm", "pack", PACKAGE, *options], capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise UserError(f"npm: not installed; it fetches {PACKAGE}: install Node.js, which has it") from None
        if done.returncode:
            lines = [line.removeprefix("npm error ") for line in done.stderr.splitlines()]
            reason = next((line for line in lines if line.startswith("code ")), f"exit status {done.returncode}")
            raise UserError(f"npm pack {PACKAGE}: failed ({reason}); it needs the network once: run it again")
        (Path(temporary) / archive.name).replace(archive)
