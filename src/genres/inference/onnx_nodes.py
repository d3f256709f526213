"""Write an ONNX graph as calls: ``add.Mul(x, 2.0)`` adds a node and returns the name of its output."""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

_TYPES = onnx.TensorProto
FLOAT, DOUBLE, INT64 = int(_TYPES.FLOAT), int(_TYPES.DOUBLE), int(_TYPES.INT64)
UINT8, BOOL = int(_TYPES.UINT8), int(_TYPES.BOOL)

# Element type and shape; a name in the shape is a size that is not fixed.
Kind = tuple[int, Sequence[Any]]


class Nodes:
    """Nodes and constants of one graph; a method's name is the operator's, its arguments are inputs and attributes.

    An input is the name of a tensor ("" for one that is left out), or a constant: an array, or a number or list, which
    becomes int64, or float32 if it is a float. A subgraph may use all tensors of the graph around it.

    Parameters
    ----------
    prefix : str
        Start of the names of all tensors; unique among the graphs of a model.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._numbers = itertools.count()
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def __getattr__(self, operator: str) -> Callable[..., Any]:
        if not operator[0].isupper():
            raise AttributeError(operator)
        return functools.partial(self._add, operator)

    def _add(self, operator: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
        names = [self._name() for _ in range(outputs)]
        given = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        self.nodes.append(helper.make_node(operator, given, names, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, value: Any) -> str:
        """Return the name of a constant; equal ones are stored once."""
        array = np.asarray(value)
        if not isinstance(value, np.ndarray | np.generic):
            array = array.astype(np.float32 if array.dtype.kind == "f" else np.int64)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self._name()
            self.initializers.append(numpy_helper.from_array(array, self._constants[key]))
        return self._constants[key]

    def _name(self) -> str:
        return f"{self.prefix}{next(self._numbers)}"

    @property
    def trip(self) -> str:
        """The number of the trip, in the body of a loop."""
        return f"{self.prefix}trip"

    def inline(self, graph: onnx.GraphProto, tensor: str) -> str:
        """Add the nodes of a graph with one input and one output, and return the name of the output."""
        self.nodes.append(helper.make_node("Identity", [tensor], [graph.input[0].name]))
        self.nodes.extend(graph.node)
        self.initializers.extend(graph.initializer)
        return str(graph.output[0].name)

    def graph(
        self,
        inputs: dict[str, Kind],
        outputs: dict[str, tuple[str, Kind]],
        defaults: dict[str, np.ndarray] | None = None,
    ) -> onnx.GraphProto:
        """Return the graph.

        Parameters
        ----------
        inputs, outputs : dict
            Kind of each input; tensor and kind of each output.
        defaults : dict, optional
            Values of inputs that may be left out.
        """
        for name, (tensor, _) in outputs.items():
            self.nodes.append(helper.make_node("Identity", [tensor], [name]))
        return helper.make_graph(
            self.nodes,
            self.prefix or "genres",
            [helper.make_tensor_value_info(name, *kind) for name, kind in inputs.items()],
            [helper.make_tensor_value_info(name, *kind) for name, (_, kind) in outputs.items()],
            [*self.initializers, *(numpy_helper.from_array(array, name) for name, array in (defaults or {}).items())],
        )

    def loop(self, trips: str, body: "Nodes", result: str, kind: Kind, carried: dict[str, Any] | None = None) -> str:
        """Add a loop over `body`; its results of all trips are stacked.

        Parameters
        ----------
        trips : str
            Number of trips, int64.
        result : str
            Tensor of the body.
        kind : Kind
            Type and shape of `result`.
        carried : dict, optional
            Name in the body, and first value, of what each trip gets from the one before: its `result`, of which the
            last is then returned in place of the stack.
        """
        inputs: dict[str, Kind] = {body.trip: (INT64, []), f"{body.prefix}on": (BOOL, [])}
        inputs |= dict.fromkeys(carried or {}, kind)
        outputs = {f"{body.prefix}goes_on": (f"{body.prefix}on", (BOOL, [])), f"{body.prefix}result": (result, kind)}
        return str(self.Loop(trips, "", *(carried or {}).values(), body=body.graph(inputs, outputs)))
