"""Stage `export@<architecture>`: models/<architecture>.keras → models/<architecture>.onnx, which runs anywhere.

    python src/export.py baseline

Audio samples in, probabilities and out-of-distribution score out: docs/predict.md. It is written only if it predicts as
the trained network does. With msd_musicnn, the stage `tagger`, it is the pretrained network's own tags.
"""

import argparse
import os
import shlex

from genres.core.console import UserError, command, warn
from genres.core.files import atomic
from genres.core.paths import TAGGER, WEIGHTS, model_path, onnx_path


@command
def main() -> None:
    """Run the stage."""
    parser = argparse.ArgumentParser(prog="python src/export.py", description=__doc__.splitlines()[0])
    parser.add_argument("architecture", help=f"one that is trained: models/<architecture>.keras; or {TAGGER}")
    architecture = parser.parse_args().architecture
    model_file, target = model_path(architecture), onnx_path(architecture)
    source = WEIGHTS if architecture == TAGGER else model_file
    if source == model_file and not source.exists():
        again = f"dvc repro {shlex.quote(f'train@{architecture}')}"
        raise UserError(f"{model_file}: no such model; train it with: {again}")
    if not source.exists() or not source.stat().st_size:
        warn(f"{architecture} is left out: it is not trained, or has no pretrained weights")
        with atomic(target) as temporary:
            temporary.touch()  # DVC wants each output
        return

    os.environ["KERAS_BACKEND"] = "tensorflow"  # tf2onnx converts its graphs; a model file is the same for all
    from genres.inference import export, tagger  # imported here, since loading Keras takes seconds

    if architecture == TAGGER:
        model_file = tagger.model_file()
    difference = export.write(model_file, target, source)
    print(
        f"{target}: {target.stat().st_size / 1e6:.2f} MB; probabilities differ by at most {difference:.0e} from Keras'"
    )


if __name__ == "__main__":
    main()
