"""A Keras network as an ONNX graph, by tf2onnx: small, and the same in every run."""

import itertools
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from genres.models.backend import keras

OPSET = 18  # the latest that tf2onnx writes

_LARGEST, _REST = 2**15 - 1, 254


def convert(network: keras.Model) -> onnx.GraphProto:
    """Convert a network: input uint8 [batch, frames, n_mels], output float32 [batch, numbers].

    The order of nodes is that of their use, and tensors are numbered: tf2onnx's order is another in each run, and names
    count what the process has built before.
    """
    import tensorflow as tf  # after Keras, which keeps it quiet
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    signature = [tf.TensorSpec((None, *network.input_shape[1:]), tf.uint8)]
    forward = tf.function(lambda windows: network(windows, training=False))
    # tf2onnx knows the transform only where the magnitude alone is used.
    handlers: dict[str, Any] = {"RFFT": (_transform, []), "Real": (_part, []), "Imag": (_part, [])}
    model, _ = tf2onnx.convert.from_function(forward, signature, opset=OPSET, custom_op_handlers=handlers)
    _in_order(model.graph, {"": ""}, itertools.count())
    _in_three_bytes(model.graph)
    return model.graph


def _transform(graph: Any, node: Any, name: str, arguments: Any) -> None:
    """Replace TensorFlow's real Fourier transform by ONNX's, which has a last axis of two for the complex parts."""
    samples, output = node.input[0], node.output
    shape, size = graph.get_shape(samples), int(node.inputs[1].get_tensor_value()[0])
    graph.remove_node(name)
    axes, length = (
        graph.make_const(f"{name}/{what}", np.array(value)).output[0]
        for what, value in (("axes", [-1]), ("length", size))
    )
    unsqueezed = graph.make_node("Unsqueeze", [samples, axes]).output[0]
    attributes = {"axis": len(shape) - 1, "onesided": 1}
    shapes = [[*shape[:-1], size // 2 + 1, 2]]
    graph.make_node(
        "DFT", [unsqueezed, length], attributes, outputs=output, shapes=shapes, dtypes=[onnx.TensorProto.FLOAT]
    )


def _part(graph: Any, node: Any, name: str, arguments: Any) -> None:
    """Replace the real or the imaginary part of a transform."""
    spectrum, output, number = node.input[0], node.output, ("Real", "Imag").index(node.type)
    shapes = [graph.get_shape(spectrum)[:-1]]
    graph.remove_node(name)
    part = graph.make_const(f"{name}/part", np.array(number)).output[0]
    graph.make_node(
        "Gather", [spectrum, part], {"axis": -1}, outputs=output, shapes=shapes, dtypes=[onnx.TensorProto.FLOAT]
    )


def _in_order(graph: onnx.GraphProto, around: dict[str, str], numbers: Iterator[int]) -> None:
    """Order nodes and constants by their use, and number the tensors, also in subgraphs.

    Parameters
    ----------
    graph : onnx.GraphProto
        Graph to change.
    around : dict
        New names of the tensors of the graphs around it.
    numbers : iterator of int
        Numbers that no tensor has.
    """
    names = dict(around)
    makers = {name: node for node in graph.node for name in node.output}
    nodes: list[onnx.NodeProto] = []
    constants: list[str] = []

    def use(name: str) -> None:
        if name in names:
            return
        node = makers.get(name)
        if node is not None and node.op_type == "Identity":  # where tf2onnx has these is by chance, too
            use(node.input[0])
            names[name] = names[node.input[0]]
            return
        if node is None:
            constants.append(name)
            names[name] = f"k{next(numbers)}"
            return
        for used in _used(node):
            use(used)
        nodes.append(node)
        names.update((output, f"k{next(numbers)}") for output in node.output if output)

    for tensor in graph.input:
        names[tensor.name] = f"k{next(numbers)}"
    for tensor in graph.output:
        use(tensor.name)
        own = f"{tensor.name}/output"
        nodes.append(helper.make_node("Identity", [tensor.name], [own]))
        names[own] = f"k{next(numbers)}"
        tensor.name = names[own]
    for tensor in (*graph.input, *graph.output):
        for dimension in tensor.type.tensor_type.shape.dim:
            if dimension.HasField("dim_param"):
                dimension.Clear()
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for tensor in (*graph.input, *tensors.values()):
        tensor.name = names.get(tensor.name, "")
    for node in nodes:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                _in_order(attribute.g, names, numbers)
        node.input[:], node.output[:] = ([names[name] for name in group] for group in (node.input, node.output))
        node.name = node.doc_string = ""
    ordered = [tensors[name] for name in constants]
    graph_nodes = [onnx.NodeProto.FromString(node.SerializeToString(deterministic=True)) for node in nodes]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(graph_nodes)
    graph.initializer.extend(ordered)
    graph.name, graph.doc_string = "network", ""


def _used(node: onnx.NodeProto) -> list[str]:
    """List the tensors that a node reads, also in its subgraphs."""
    names = list(node.input)
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            inner = attribute.g
            read = [name for one in inner.node for name in _used(one)] + [tensor.name for tensor in inner.output]
            own = {tensor.name for tensor in (*inner.input, *inner.initializer)}
            own.update(name for one in inner.node for name in one.output)
            names += [name for name in read if name not in own]
    return names


def _in_three_bytes(graph: onnx.GraphProto) -> None:
    """Store the kernels of convolutions in three bytes a weight in place of four, to one part in ten million.

    A kernel is ``scale * (integers + rest / 254)``, of 16 and 8 bits, with a scale for each filter; onnxruntime
    computes it once, when it loads the model. With two bytes, rounding changes probabilities by up to 1e-3.
    """
    kernels = {node.input[1] for node in graph.node if node.op_type == "Conv"}
    floats = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer if tensor.name in kernels}
    nodes, stored = [], [tensor for tensor in graph.initializer if tensor.name not in kernels]
    for name, weights in floats.items():
        largest = np.abs(weights).max(axis=tuple(range(1, weights.ndim)), keepdims=True)
        scale = np.maximum(largest, np.finfo(np.float32).tiny) / np.float32(_LARGEST)
        integers = np.round(weights / scale)
        rest = np.round((weights / scale - integers) * _REST)
        arrays = {
            "scale": scale,
            "integers": integers.astype(np.int16),
            "rest": rest.astype(np.int8),
            "of_rest": np.float32(_REST),
        }
        stored += [numpy_helper.from_array(np.asarray(array), f"{name}.{what}") for what, array in arrays.items()]
        for operator, inputs, output in (
            ("Cast", ["integers"], "coarse"),
            ("Cast", ["rest"], "fine"),
            ("Div", ["fine", "of_rest"], "finer"),
            ("Add", ["coarse", "finer"], "sum"),
            ("Mul", ["sum", "scale"], ""),
        ):
            attributes: dict[str, Any] = {"to": onnx.TensorProto.FLOAT} if operator == "Cast" else {}
            outputs = [f"{name}.{output}" if output else name]
            nodes.append(helper.make_node(operator, [f"{name}.{one}" for one in inputs], outputs, **attributes))
    nodes += [onnx.NodeProto.FromString(node.SerializeToString()) for node in graph.node]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(stored)
    graph.node.extend(nodes)
