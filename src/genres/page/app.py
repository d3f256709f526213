"""Open a web page to play with the trained networks.

    genres app [--model ARCHITECTURE] [--host 127.0.0.1] [--port 7860] [--open]

The page is for this machine alone, unless --host says otherwise. It loads nothing from elsewhere and reports nothing;
what visitors send lies in a folder of their own names that nobody can guess, and is deleted after an hour and at the
end.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from genres.core.console import UserError, command, warn

# Songs are deleted when they are that old; until then their page can play them.
DELETE_AFTER_S = 3600


@command
def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="genres app", description=__doc__.splitlines()[0])
    parser.add_argument("--model", metavar="ARCHITECTURE", help="chosen at first (default: the best by validation)")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s, for this machine only")
    parser.add_argument("--port", type=int, default=7860, help="default: %(default)s")
    parser.add_argument("--open", action="store_true", help="open a browser, too")
    given = parser.parse_args(arguments)
    from genres.inference.classifier import choose_model, read_card  # loads pandas, and --help is to come at once

    architecture = None
    if given.model:
        file = choose_model(given.model)
        if file.parent != Path("models"):
            raise UserError(f"--model: the page knows the models in models/; received {given.model}")
        architecture = read_card(file)["architecture"]
    if given.host not in ("127.0.0.1", "localhost", "::1"):
        warn(f"--host {given.host}: whoever reaches this machine can use the page; it asks for no password")
    print("The page starts; the first time takes some seconds", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that what was sent is deleted, too
    folder = tempfile.mkdtemp(prefix="genres-")  # readable for its owner alone
    try:
        serve(architecture, given.host, given.port, Path(folder), browser=given.open)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def serve(architecture: str | None, host: str, port: int, folder: Path, *, browser: bool = False) -> None:
    """Serve the page until it is interrupted.

    Parameters
    ----------
    architecture : str or None
        Chosen at first.
    host, port
        Where.
    folder : Path
        For what visitors send.
    browser : bool
        Whether to open one.
    """
    # Before Gradio is loaded.
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    from genres.page import examples
    from genres.page.layout import build
    from genres.page.listening import MOST_MEGABYTES, Networks
    from genres.page.look import launch_options

    page = build(Networks(), architecture, DELETE_AFTER_S)
    try:
        page.launch(
            server_name=host,
            server_port=port,
            inbrowser=browser,
            share=False,
            quiet=True,
            prevent_thread_lock=True,
            max_file_size=MOST_MEGABYTES * 2**20,
            allowed_paths=[str(file) for file in examples.files()],
            **launch_options(host),
        )
    except OSError:
        raise UserError(f"--port {port}: in use; stop what uses it, or choose another") from None
    print(f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}/ (stop it with Ctrl+C)", flush=True)
    page.block_thread()
