"""The tensor table of an ONNX file, and the inputs and outputs that its graph declares.

Tensors are the initializers and the values of `Constant` nodes, in the main graph, in functions and in
the sub-graphs of `If`, `Loop`, `Scan` and others, named by initializer or output name with `node/branch/`
in front for each enclosing sub-graph. Only protobuf fields are walked: no tensor is loaded, nothing of
ONNX is imported. Inputs that are initializers too are no inputs (IR before 4 lists them). The metadata
`dof_names` (JSON or comma list) names the elements of every output whose last axis has that length.
Source: onnx.proto and IR.md of the ONNX project.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from nodedata_registry.core.layouts.onnx_tensor import MAX_SPANS, read_entry, read_tensor
from nodedata_registry.core.layouts.onnx_value import read_value
from nodedata_registry.core.layouts.protobuf import BYTES, FIXED32, VARINT, Field, Walker
from nodedata_registry.core.layouts.source import Source
from nodedata_registry.core.layouts.table import (
    MAX_TENSORS,
    METADATA_VALUE_CHARS,
    Layout,
    Span,
    Tensor,
    kept_metadata,
    refuse,
    shown,
)
from nodedata_registry.core.schema import Schema, TensorSpec

MAX_GRAPH_DEPTH = 32

# ModelProto
_IR_VERSION, _PRODUCER, _PRODUCER_VERSION, _GRAPH, _OPSET, _METADATA, _FUNCTION = 1, 2, 3, 7, 8, 14, 25
_MODEL_FIELDS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26})
# GraphProto
_NODE, _INITIALIZER, _INPUT, _OUTPUT, _SPARSE = 1, 5, 11, 12, 15
# FunctionProto
_FUNCTION_NAME, _FUNCTION_NODE = 1, 7
# AttributeProto: name, f, i, t, g, graphs, sparse_tensor; floats, ints
_ATTRIBUTE_FIELDS = frozenset({1, 2, 3, 5, 6, 11, 22})
_ATTRIBUTE_LISTS = frozenset({7, 8})


@dataclass(slots=True)
class _Graph:
    """Names given to tensors in one graph, and the messages of its inputs and outputs."""

    prefix: str
    depth: int = 0
    names: set[str] = field(default_factory=set)
    inputs: list[Span] = field(default_factory=list)
    outputs: list[Span] = field(default_factory=list)


@dataclass(slots=True)
class _Node:
    """What matters of a node: its name, operator, first output and attributes."""

    name: str = ""
    output: str = ""
    operator: str = ""
    domain: str = ""
    attributes: list[Span] = field(default_factory=list)


def read(source: Source) -> Layout:
    """Return the layout of an ONNX file.

    Raises:
        InvalidWeights: not ONNX, truncated, followed by other bytes, or beyond the limits.
    """
    model = _Model(source)
    model.read()
    tensors = tuple(model.tensors)
    first = min((span.offset for t in tensors if t.external is None for span in t.spans), default=0)
    return Layout("onnx", tensors, first, kept_metadata(model.metadata), model.schema)


class _Model:
    """One walk over a model: fills `tensors`, `metadata` and `schema`."""

    __slots__ = ("_taken", "metadata", "schema", "tensors", "walker")

    def __init__(self, source: Source) -> None:
        self.walker = Walker(source)
        self.tensors: list[Tensor] = []
        self.metadata: dict[str, str] = {}
        self.schema: Schema | None = None
        self._taken: dict[str, int] = {}

    def read(self) -> None:
        """Walk the file once."""
        graph: _Graph | None = None
        opsets: list[str] = []
        for item in self.walker.fields(self.walker.whole, once=(_IR_VERSION, 2, 3, 4, 5, 6, _GRAPH)):
            if item.number not in _MODEL_FIELDS:
                refuse(
                    f"Byte {item.span.offset} belongs to no field of an ONNX model: other bytes follow it."
                )
            if item.number == _GRAPH:
                graph = _Graph("")
                self._graph(self.walker.expect(item, BYTES), graph)
            elif item.number == _FUNCTION:
                self._function(self.walker.expect(item, BYTES))
            elif item.number == _OPSET:
                opsets.append(self._opset(self.walker.expect(item, BYTES)))
            else:
                self._about(item)
        if graph is None or "onnx.ir_version" not in self.metadata:
            refuse("The file is not an ONNX model: it has no graph or no IR version.")
        if not opsets and int(self.metadata["onnx.ir_version"]) >= 3:
            refuse("The model imports no operator set: it is truncated, or its writer broke off.")
        self.metadata["onnx.opset_import"] = ",".join(opsets)
        self._declare(graph)

    def _about(self, item: Field) -> None:
        if item.number == _IR_VERSION:
            self.walker.expect(item, VARINT)
            self.metadata["onnx.ir_version"] = str(item.value)
        elif item.number in (_PRODUCER, _PRODUCER_VERSION):
            key = "onnx.producer_name" if item.number == _PRODUCER else "onnx.producer_version"
            self.metadata[key] = self.walker.text(item)
        elif item.number == _METADATA and self.walker.expect(item, BYTES).length <= 2 * METADATA_VALUE_CHARS:
            # Longer values (whole robot descriptions) are never shown nor compared, so never read.
            key, value = read_entry(self.walker, item.span)
            if key in self.metadata:
                refuse(f"The metadata key '{shown(key)}' stands twice.")
            self.metadata[key] = value

    def _opset(self, message: Span) -> str:
        domain, version = "", 0
        for item in self.walker.fields(message, once=(1, 2)):
            if item.number == 1:
                domain = self.walker.text(item)
            elif item.number == 2:
                version = item.value
        return f"{domain or 'ai.onnx'}={version}"

    # --- graphs and nodes ----------------------------------------------------------------------

    def _graph(self, message: Span, graph: _Graph) -> None:
        if graph.depth > MAX_GRAPH_DEPTH:
            refuse(f"More than {MAX_GRAPH_DEPTH} graphs stand inside each other.")
        for item in self.walker.fields(message):
            if item.number == _NODE:
                self._node(self.walker.expect(item, BYTES), graph)
            elif item.number == _INITIALIZER:
                self._add(graph, read_tensor(self.walker, self.walker.expect(item, BYTES)))
            elif item.number == _SPARSE:
                self._sparse(self.walker.expect(item, BYTES), graph, None)
            elif item.number in (_INPUT, _OUTPUT):
                spans = graph.inputs if item.number == _INPUT else graph.outputs
                spans.append(self.walker.expect(item, BYTES))

    def _function(self, message: Span) -> None:
        nodes: list[Span] = []
        name = ""
        for item in self.walker.fields(message, once=(_FUNCTION_NAME,)):
            if item.number == _FUNCTION_NAME:
                name = self.walker.text(item)
            elif item.number == _FUNCTION_NODE:
                nodes.append(self.walker.expect(item, BYTES))
        graph = _Graph(f"{name}/", depth=1)
        for node in nodes:
            self._node(node, graph)

    def _node(self, message: Span, graph: _Graph) -> None:
        node = _Node()
        for item in self.walker.fields(message, once=(3, 4, 7)):
            if item.number == 2 and not node.output:
                node.output = self.walker.text(item)
            elif item.number == 3:
                node.name = self.walker.text(item)
            elif item.number == 4:
                node.operator = self.walker.text(item)
            elif item.number == 5:
                node.attributes.append(self.walker.expect(item, BYTES))
            elif item.number == 7:
                node.domain = self.walker.text(item)
        for attribute in node.attributes:
            self._attribute(attribute, node, graph)

    def _attribute(self, message: Span, node: _Node, graph: _Graph) -> None:
        """Enter the graphs of an attribute, and take the value of a constant."""
        constant = node.operator == "Constant" and node.domain in ("", "ai.onnx")
        fields = self._kept(message, constant)
        name = next((self.walker.text(item) for item in fields if item.number == 1), "")
        graphs = [self.walker.expect(item, BYTES) for item in fields if item.number in (6, 11)]
        for index, inner in enumerate(graphs):
            branch = name if index == 0 else f"{name}[{index}]"
            prefix = f"{graph.prefix}{node.name or node.output}/{branch}/"
            self._graph(inner, _Graph(prefix, graph.depth + 1))
        if constant:
            self._constant(name, fields, node.output, graph)

    def _kept(self, message: Span, constant: bool) -> list[Field]:
        """Return an attribute's fields without long lists (of trees, of tokens), unless it is a constant."""
        wanted = _ATTRIBUTE_FIELDS | _ATTRIBUTE_LISTS if constant else _ATTRIBUTE_FIELDS
        kept: list[Field] = []
        for item in self.walker.fields(message, once=(1, 2, 3, 4, 5, 6, 20, 22)):
            if item.number in wanted:
                kept.append(item)
            if len(kept) > MAX_SPANS:
                refuse(f"An attribute has more than {MAX_SPANS} parts; write it as a tensor.")
        return kept

    def _constant(self, attribute: str, fields: list[Field], output: str, graph: _Graph) -> None:
        by_number = {item.number: item for item in fields}
        if attribute == "value" and 5 in by_number:
            message = self.walker.expect(by_number[5], BYTES)
            self._add(graph, read_tensor(self.walker, message, output))
        elif attribute == "sparse_value" and 22 in by_number:
            self._sparse(self.walker.expect(by_number[22], BYTES), graph, output)
        elif attribute in ("value_float", "value_floats"):
            self._add(graph, self._scalars(output, attribute, [f for f in fields if f.number in (2, 7)]))
        elif attribute in ("value_int", "value_ints"):
            self._add(graph, self._scalars(output, attribute, [f for f in fields if f.number in (3, 8)]))

    def _scalars(self, output: str, attribute: str, fields: list[Field]) -> Tensor:
        """Return the tensor of a constant that is a float, an int or a list of these."""
        whole = attribute.startswith("value_int")
        for item in fields:
            if item.wire != BYTES:
                self.walker.expect(item, VARINT if whole else FIXED32)
        count = sum(self._count(item, whole) for item in fields)
        spans = tuple(item.span for item in fields if item.span.length)
        shape = (count,) if attribute.endswith("s") else ()
        if not shape and count != 1:
            refuse(f"Constant '{shown(output)}' has {count} values for its {attribute}.", output)
        return Tensor(output, "I64" if whole else "F32", shape, spans, "varint:8" if whole else "raw")

    def _count(self, item: Field, whole: bool) -> int:
        if item.wire != BYTES:
            return 1
        if whole:
            return sum(1 for _ in self.walker.varints(item))
        if item.span.length % 4:
            refuse(f"The floats at byte {item.span.offset} do not fill whole numbers.")
        return item.span.length // 4

    def _sparse(self, message: Span, graph: _Graph, name: str | None) -> None:
        parts = {
            item.number: item for item in self.walker.fields(message, once=(1, 2)) if item.number in (1, 2)
        }
        if parts.keys() != {1, 2}:
            refuse("A sparse tensor lacks its values or indices.")
        values = read_tensor(self.walker, self.walker.expect(parts[1], BYTES), name)
        indices = read_tensor(self.walker, self.walker.expect(parts[2], BYTES))
        self._add(graph, values)
        if values is not None and indices is not None:
            self._add(graph, replace(indices, name=f"{values.name}/indices"))

    def _add(self, graph: _Graph, tensor: Tensor | None) -> None:
        if tensor is None:
            return
        name = tensor.name
        if not name:
            refuse(f"A tensor of graph '{shown(graph.prefix)}' has no name.")
        if name in graph.names:
            refuse(f"Tensor '{shown(name)}' is there twice in one graph.", graph.prefix + name)
        if len(self.tensors) >= MAX_TENSORS:
            refuse(f"The file has more than {MAX_TENSORS} tensors.")
        graph.names.add(name)
        full = self._free(graph.prefix + name)
        self.tensors.append(replace(tensor, name=full))

    def _free(self, full: str) -> str:
        """Return a name not given yet: node names need not be unique, so two branches may collide."""
        count = self._taken[full] = self._taken.get(full, 0) + 1
        return full if count == 1 else self._free(f"{full}#{count}")

    # --- inputs and outputs --------------------------------------------------------------------

    def _declare(self, graph: _Graph) -> None:
        inputs = [spec for spec in self._values(graph.inputs) if spec.name not in graph.names]
        outputs = self._values(graph.outputs)
        names = dof_names(self.metadata.get("dof_names", ""))
        if names is not None:
            outputs = [_named(spec, names) for spec in outputs]
        self.schema = Schema(tuple(inputs), tuple(outputs))

    def _values(self, messages: Iterable[Span]) -> list[TensorSpec]:
        found: dict[str, TensorSpec] = {}
        for message in messages:
            spec = read_value(self.walker, message)
            if found.setdefault(spec.name, spec) is not spec:
                refuse(f"The input or output '{shown(spec.name)}' is there twice.")
        return list(found.values())


def _named(spec: TensorSpec, names: tuple[str, ...]) -> TensorSpec:
    return replace(spec, names=names) if spec.shape and spec.shape[-1] == len(names) else spec


def dof_names(text: str) -> tuple[str, ...] | None:
    """Return the joint names that a `dof_names` entry lists, or None where it lists none.

    >>> dof_names('["hip", "knee"]'), dof_names("hip, knee"), dof_names("")
    (('hip', 'knee'), ('hip', 'knee'), None)
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = [part.strip() for part in text.split(",")]
    if not isinstance(found, list) or not found or not all(isinstance(n, str) and n for n in found):
        return None
    return tuple(found)
