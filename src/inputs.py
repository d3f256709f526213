"""Stage `inputs`: data/mels/, data/pretrained/ → data/inputs/<architecture>.json, digests of what each one reads.

    python src/inputs.py

A training depends on its own digest only. So an architecture with another front end, which adds spectrograms, makes no
other network train again. DVC cannot name a dependency by the value of a parameter of a parameter.
"""

import argparse

from genres.core import params
from genres.core.console import command
from genres.core.files import sha256_of, write_json
from genres.core.inputs import missing
from genres.core.paths import INPUTS, WEIGHTS, inputs_path, mels_dir
from genres.data.shards import FORMAT, INDEX


@command
def main() -> None:
    """Run the stage."""
    argparse.ArgumentParser(prog="python src/inputs.py", description=__doc__.splitlines()[0]).parse_args()
    settings = params.load()
    for path in INPUTS.glob("*.json"):
        path.unlink()
    for name in settings.architectures:
        model = settings.models[name]
        reason = missing(name, settings)
        files = [] if reason else [mels_dir(model.front_end) / file for file in (INDEX, FORMAT)]
        if model.pretrained_on and not reason:
            files.append(WEIGHTS)
        digests = {str(path): sha256_of(path) for path in files}
        write_json(inputs_path(name), {"front_end": model.front_end, "left_out": reason, "sha256": digests})


if __name__ == "__main__":
    main()
