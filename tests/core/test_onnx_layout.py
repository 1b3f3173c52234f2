from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from nodedata_registry.core.facts import (
    FileFacts,
    RecordingSource,
    ReplaySource,
    read_file_facts,
)
from nodedata_registry.core.layouts import BytesSource, Layout, Span, Tensor, protobuf
from nodedata_registry.core.layouts import onnx as layout
from nodedata_registry.core.manifest import FileEntry
from nodedata_registry.core.schema import TensorSpec
from nodedata_registry.errors import InvalidWeights
from nodedata_registry.server.tensors.canonical import canonical_pieces

NUMERIC = {
    "FLOAT": "F32",
    "UINT8": "U8",
    "INT8": "I8",
    "UINT16": "U16",
    "INT16": "I16",
    "INT32": "I32",
    "INT64": "I64",
    "BOOL": "BOOL",
    "FLOAT16": "F16",
    "DOUBLE": "F64",
    "UINT32": "U32",
    "UINT64": "U64",
    "COMPLEX64": "C64",
    "COMPLEX128": "C128",
    "BFLOAT16": "BF16",
    "FLOAT8E4M3FN": "F8_E4M3",
    "FLOAT8E4M3FNUZ": "F8_E4M3FNUZ",
    "FLOAT8E5M2": "F8_E5M2",
    "FLOAT8E5M2FNUZ": "F8_E5M2FNUZ",
    "UINT4": "U4",
    "INT4": "I4",
}


def value(
    name: str, shape: Sequence[str | int | None] | None = (1, 4), dtype: int = TensorProto.FLOAT
) -> onnx.ValueInfoProto:
    made: onnx.ValueInfoProto = helper.make_tensor_value_info(name, dtype, shape)
    return made


def array(name: str, *shape: int) -> onnx.TensorProto:
    values = np.arange(int(np.prod(shape)), dtype=np.float32).reshape(shape)
    made: onnx.TensorProto = numpy_helper.from_array(values, name)
    return made


def graph(
    nodes: Sequence[onnx.NodeProto] = (),
    initializers: Sequence[onnx.TensorProto] = (),
    inputs: Sequence[onnx.ValueInfoProto] = (),
    outputs: Sequence[onnx.ValueInfoProto] = (),
) -> onnx.GraphProto:
    made: onnx.GraphProto = helper.make_graph(nodes, "g", inputs, outputs, initializer=initializers)
    return made


def model(found: onnx.GraphProto, **metadata: str) -> onnx.ModelProto:
    made: onnx.ModelProto = helper.make_model(
        found, ir_version=9, opset_imports=[helper.make_opsetid("", 17)]
    )
    helper.set_model_props(made, metadata)
    return made


def read(made: onnx.ModelProto | bytes) -> Layout:
    data = made if isinstance(made, bytes) else made.SerializeToString()
    return layout.read(BytesSource(data))


def payload(tensor: Tensor, data: bytes) -> bytes:
    return b"".join(canonical_pieces(tensor, BytesSource(data)))


def names(found: Layout) -> list[str]:
    return [tensor.name for tensor in found.tensors]


def constant(output: str, **attribute: Any) -> onnx.NodeProto:
    made: onnx.NodeProto = helper.make_node("Constant", [], [output], **attribute)
    return made


# --- tensors -----------------------------------------------------------------------------------


@pytest.mark.parametrize("onnx_type", NUMERIC)
def test_raw_and_typed_data_of_every_type_have_the_same_canonical_bytes(onnx_type: str) -> None:
    data_type = TensorProto.DataType.Value(onnx_type)
    kind = helper.tensor_dtype_to_np_dtype(data_type)
    values = np.array([0, 1, 1, 0, 1]).astype(kind)
    raw = numpy_helper.from_array(values, "raw")
    typed = helper.make_tensor("typed", data_type, values.shape, values.tolist())
    assert raw.HasField("raw_data") and not typed.HasField("raw_data")
    data = model(graph(initializers=[raw, typed])).SerializeToString()
    first, second = read(data).tensors
    assert first.dtype == second.dtype == NUMERIC[onnx_type]
    assert first.shape == second.shape == (5,)
    assert payload(first, data) == payload(second, data) == raw.raw_data


def test_negative_typed_integers_keep_their_bits() -> None:
    tensor = helper.make_tensor("t", TensorProto.INT32, (3,), [-1, 2**31 - 1, -(2**31)])
    data = model(graph(initializers=[tensor])).SerializeToString()
    (found,) = read(data).tensors
    assert found.encoding == "varint:4"
    assert payload(found, data) == np.array([-1, 2**31 - 1, -(2**31)], dtype="<i4").tobytes()


def test_initializers_lie_where_the_reader_says() -> None:
    weight, bias = array("weight", 3, 4), array("bias", 3)
    data = model(graph(initializers=[weight, bias])).SerializeToString()
    for tensor, made in zip(read(data).tensors, (weight, bias), strict=True):
        (span,) = tensor.spans
        assert data[span.offset : span.end] == made.raw_data


def test_a_scalar_and_an_empty_tensor_are_tensors() -> None:
    scalar = numpy_helper.from_array(np.array(1.5, dtype=np.float32), "scalar")
    empty = numpy_helper.from_array(np.zeros((0, 3), dtype=np.float32), "empty")
    found = read(model(graph(initializers=[scalar, empty])))
    assert [(t.name, t.shape, t.elements, len(t.spans)) for t in found.tensors] == [
        ("scalar", (), 1, 1),
        ("empty", (0, 3), 0, 0),
    ]


def test_constants_are_named_by_their_output() -> None:
    nodes = [
        constant("tensor", value=array("inner name", 2)),
        constant("float", value_float=1.5),
        constant("floats", value_floats=[1.5, -2.0]),
        constant("int", value_int=-3),
        constant("ints", value_ints=[1, -2, 300]),
        constant("text", value_string="not a tensor"),
    ]
    data = model(graph(nodes)).SerializeToString()
    found = {tensor.name: tensor for tensor in read(data).tensors}
    assert {name: (t.dtype, t.shape) for name, t in found.items()} == {
        "tensor": ("F32", (2,)),
        "float": ("F32", ()),
        "floats": ("F32", (2,)),
        "int": ("I64", ()),
        "ints": ("I64", (3,)),
    }
    assert payload(found["floats"], data) == np.array([1.5, -2.0], dtype="<f4").tobytes()
    assert payload(found["float"], data) == np.array(1.5, dtype="<f4").tobytes()
    assert payload(found["int"], data) == np.array(-3, dtype="<i8").tobytes()
    assert payload(found["ints"], data) == np.array([1, -2, 300], dtype="<i8").tobytes()


def test_a_constant_of_another_domain_is_an_operator_like_any_other() -> None:
    node = helper.make_node("Constant", [], ["x"], domain="acme", value_float=1.0)
    assert read(model(graph([node]))).tensors == ()


def test_tensors_in_sub_graphs_have_node_and_branch_in_front() -> None:
    innermost = graph([constant("c", value_float=1.0)])
    loop = helper.make_node("Loop", ["n", ""], ["y"], name="loop", body=innermost)
    branches = helper.make_node(
        "If",
        ["condition"],
        ["out"],
        name="choose",
        then_branch=graph([loop], [array("w", 2)]),
        else_branch=graph([constant("c", value_int=1)]),
    )
    unnamed = helper.make_node("Scan", ["x"], ["scanned"], body=graph(initializers=[array("w", 2)]))
    assert names(read(model(graph([branches, unnamed], [array("w", 1)])))) == [
        "choose/else_branch/c",
        "choose/then_branch/loop/body/c",
        "choose/then_branch/w",
        "scanned/body/w",
        "w",
    ]


def test_branches_that_share_a_name_are_numbered() -> None:
    nodes = [
        helper.make_node("Loop", [""], [output], name="same", body=graph(initializers=[array("w", 1)]))
        for output in ("y", "z")
    ]
    assert names(read(model(graph(nodes)))) == ["same/body/w", "same/body/w#2"]


def test_constants_of_functions_are_tensors() -> None:
    made = model(graph())
    function = helper.make_function("acme", "Gelu", ["x"], ["y"], [constant("half", value_float=0.5)], [])
    made.functions.append(function)
    assert names(read(made)) == ["Gelu/half"]


def test_a_sparse_initializer_has_values_and_indices() -> None:
    made = graph()
    made.sparse_initializer.append(
        helper.make_sparse_tensor(array("s", 2), numpy_helper.from_array(np.array([0, 5]), ""), [10])
    )
    assert names(read(model(made))) == ["s", "s/indices"]


def test_string_tensors_are_no_parameters() -> None:
    text = numpy_helper.from_array(np.array(["a", "b"], dtype=object), "labels")
    assert read(model(graph(initializers=[text]))).tensors == ()


# --- external data -----------------------------------------------------------------------------


def external(location: str, **entries: str) -> onnx.ModelProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, text in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=text)
    return model(graph(initializers=[tensor]))


def test_external_data_is_found_beside_the_file() -> None:
    (tensor,) = read(external("model.data", offset="4096", length="16")).tensors
    assert (tensor.encoding, tensor.external, tensor.spans) == ("external", "model.data", (Span(4096, 16),))
    assert tensor.stored_in("weights/model.onnx") == "weights/model.data"


def test_external_data_without_offset_and_length_is_the_start_of_the_file() -> None:
    assert read(external("./sub/w.bin")).tensors[0].spans == (Span(0, 16),)
    assert read(external("./sub/w.bin")).tensors[0].external == "sub/w.bin"


@pytest.mark.parametrize(
    "location", ["../secret", "/etc/passwd", "a/../../b", "C:\\data", "", "a\0b", "..", "a//b", "con"]
)
def test_external_data_outside_the_folder_is_refused(location: str) -> None:
    with pytest.raises(InvalidWeights) as caught:
        read(external(location))
    assert caught.value.details["tensor"] == "w"


@pytest.mark.parametrize(
    "entries", [{"length": "15"}, {"offset": "-1"}, {"offset": "x"}, {"length": "9" * 40}, {"offset": "٣"}]
)
def test_external_offsets_and_lengths_that_do_not_fit_are_refused(entries: dict[str, str]) -> None:
    with pytest.raises(InvalidWeights):
        read(external("model.data", **entries))


def test_external_data_with_data_inside_as_well_is_refused() -> None:
    made = external("model.data")
    made.graph.initializer[0].raw_data = b"\0" * 16
    with pytest.raises(InvalidWeights):
        read(made)


# --- inputs, outputs, metadata -----------------------------------------------------------------


def test_inputs_and_outputs_are_those_of_the_graph() -> None:
    made = graph(
        inputs=[value("obs", ["batch", 93, None]), value("w", (2,)), value("any", None)],
        initializers=[array("w", 2)],
        outputs=[value("action", (1, 29), TensorProto.FLOAT16), value("label", (), TensorProto.STRING)],
    )
    schema = read(model(made)).schema
    assert schema is not None
    assert schema.inputs == (
        TensorSpec("obs", ("batch", 93, -1), "F32"),
        TensorSpec("any", ("...",), "F32"),
    )
    assert schema.outputs == (TensorSpec("action", (1, 29), "F16"), TensorSpec("label", (), "STRING"))


def test_an_optional_input_is_optional() -> None:
    kind = helper.make_optional_type_proto(helper.make_tensor_type_proto(TensorProto.INT64, [2]))
    schema = read(model(graph(inputs=[helper.make_value_info("state", kind)]))).schema
    assert schema is not None and schema.inputs == (TensorSpec("state", (2,), "I64", optional=True),)


def test_sequences_and_maps_are_named_as_what_they_are() -> None:
    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    schema = read(model(graph(outputs=[helper.make_value_info("scores", kind)]))).schema
    assert schema is not None and schema.outputs == (TensorSpec("scores", (), "SEQUENCE"),)


@pytest.mark.parametrize("text", [json.dumps(["hip", "knee"]), "hip, knee", "hip,knee"])
def test_dof_names_name_the_last_axis_of_every_output_that_long(text: str) -> None:
    made = graph(outputs=[value("action", (1, 2)), value("pos", ("n", 2)), value("quat", (1, 4))])
    schema = read(model(made, dof_names=text)).schema
    assert schema is not None and schema.outputs is not None
    assert [spec.names for spec in schema.outputs] == [("hip", "knee"), ("hip", "knee"), None]


@pytest.mark.parametrize("text", ["", "{}", "[1, 2]", "[", "[" * 100_000, ",", "null"])
def test_dof_names_that_list_nothing_name_nothing(text: str) -> None:
    schema = read(model(graph(outputs=[value("action", (1, 2))]), dof_names=text)).schema
    assert schema is not None and schema.outputs is not None and schema.outputs[0].names is None


def test_metadata_holds_versions_and_what_the_file_states_in_short() -> None:
    made = model(graph(), kp="[1.0]", robot_urdf="x" * 100_000)
    made.producer_name = "pytorch"
    found = read(made).metadata
    assert found == {
        "onnx.ir_version": "9",
        "onnx.opset_import": "ai.onnx=17",
        "onnx.producer_name": "pytorch",
        "kp": "[1.0]",
    }


# --- what is refused ---------------------------------------------------------------------------


SMALL = model(graph([constant("c", value_float=1.0)], [array("w", 8)], [value("x")], [value("y")]))
WHOLE = bytes(SMALL.SerializeToString())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"hello, this is no model",
        b"PK\x03\x04" + b"\0" * 100,
        b"\x80\x04\x95",
        WHOLE[1:],
        WHOLE[:2],
    ],
)
def test_what_is_not_onnx_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidWeights):
        read(data)


def test_a_file_cut_off_anywhere_is_refused() -> None:
    for length in range(len(WHOLE)):
        with pytest.raises(InvalidWeights):
            read(WHOLE[:length])


@pytest.mark.parametrize("tail", [b"\0", b"\0" * 512, b"garbage", b"x", WHOLE, b"\xff" * 20, b"\x7a\x00"])
def test_trailing_bytes_are_refused(tail: bytes) -> None:
    with pytest.raises(InvalidWeights):
        read(WHOLE + tail)


def changed(**fields: object) -> onnx.ModelProto:
    tensor = array("w", 4)
    for key, new in fields.items():
        if isinstance(new, list):
            tensor.ClearField(key)
            getattr(tensor, key).extend(new)
        else:
            setattr(tensor, key, new)
    return model(graph(initializers=[tensor]))


@pytest.mark.parametrize(
    "made",
    [
        changed(dims=[5]),
        changed(dims=[-4]),
        changed(dims=[2**62, 2**62]),
        changed(dims=[1] * 65),
        changed(data_type=0),
        changed(data_type=99),
        changed(raw_data=b""),
        changed(float_data=[1.0]),
        changed(int64_data=[1], raw_data=b""),
        changed(name=""),
        model(graph(initializers=[array("w", 1), array("w", 1)])),
        model(graph([constant("w", value_float=1.0)], [array("w", 1)])),
        model(graph(inputs=[value("x"), value("x")])),
        model(graph(inputs=[value("")])),
        onnx.ModelProto(ir_version=9),
        onnx.ModelProto(graph=graph()),
    ],
)
def test_a_model_that_contradicts_itself_is_refused(made: onnx.ModelProto) -> None:
    with pytest.raises(InvalidWeights):
        read(made)


def test_a_refusal_names_file_and_tensor() -> None:
    data = changed(dims=[5]).SerializeToString()
    with pytest.raises(InvalidWeights) as caught:
        read_file_facts(FileEntry("p.onnx", len(data), "0" * 64), BytesSource(data))
    assert caught.value.details == {"file": "p.onnx", "tensor": "w"}


def message(number: int, content: bytes) -> bytes:
    length = len(content)
    return bytes([number << 3 | 2, length & 0x7F | 0x80, length >> 7 & 0x7F | 0x80, length >> 14]) + content


def nested(levels: int) -> bytes:
    """A model with a graph in a node's attribute in a graph, and so on."""
    found = message(5, bytes(array("w", 1).SerializeToString()))
    for _ in range(levels):
        found = message(1, message(2, b"y") + message(5, message(6, found)))
    return WHOLE[:2] + message(7, found) + message(8, b"\x10\x11")


def test_graphs_nested_as_deeply_as_anyone_does_are_read() -> None:
    assert len(read(nested(30)).tensors) == 1


@pytest.mark.parametrize("levels", [33, 1000, 20_000])
def test_graphs_nested_too_deeply_are_refused_at_once(levels: int) -> None:
    started = time.monotonic()
    with pytest.raises(InvalidWeights):
        read(nested(levels))
    assert time.monotonic() - started < 3.0


def test_payloads_are_not_read() -> None:
    data = model(graph(initializers=[array("w", 1000, 1000)], outputs=[value("y")])).SerializeToString()
    source = RecordingSource(BytesSource(data))
    facts = read_file_facts(FileEntry("p.onnx", len(data), "0" * 64), source)
    assert facts.parameter_count == 1_000_000
    assert sum(len(piece) for _, piece in source.recorded) < 20_000


def test_the_recorded_ranges_give_the_same_facts() -> None:
    tensors = [array(f"t{i}", 10, i * i) for i in range(1, 60)]
    data = model(graph(initializers=tensors, outputs=[value("y")])).SerializeToString()
    entry = FileEntry("p.onnx", len(data), "0" * 64)
    source = RecordingSource(BytesSource(data))
    facts = read_file_facts(entry, source)
    assert read_file_facts(entry, ReplaySource(len(data), source.recorded)) == facts
    assert FileFacts.from_json(facts.to_json()) == facts


def test_a_damaged_model_gives_a_table_or_a_refusal_and_nothing_else() -> None:
    generator = random.Random(20)
    for _ in range(3000):
        data = bytearray(WHOLE)
        for _ in range(generator.randint(1, 4)):
            data[generator.randrange(len(data))] = generator.randrange(256)
        try:
            found = read(bytes(data))
        except InvalidWeights:
            continue
        assert all(span.end <= len(data) for t in found.tensors if not t.external for span in t.spans)


def test_a_graph_of_20_000_nodes_is_read_in_seconds() -> None:
    nodes = [helper.make_node("Add", [f"a{i}", f"b{i}"], [f"c{i}"], name=f"n{i}") for i in range(20_000)]
    data = model(graph(nodes)).SerializeToString()
    started = time.monotonic()
    read(data)
    assert time.monotonic() - started < 5.0


def test_more_fields_than_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protobuf, "MAX_FIELDS", 20)
    with pytest.raises(InvalidWeights, match="more than 20"):
        read(WHOLE)


def test_more_tensors_than_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "MAX_TENSORS", 1)
    with pytest.raises(InvalidWeights, match="more than 1 "):
        read(WHOLE)


def test_long_lists_of_other_operators_are_walked_past() -> None:
    trees = helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", base_values=[0.5] * 70_000
    )
    assert read(model(graph([trees]))).tensors == ()


def test_a_constant_of_too_many_loose_values_is_refused() -> None:
    with pytest.raises(InvalidWeights, match="write it as a tensor"):
        read(model(graph([constant("c", value_floats=[0.5] * 70_000)])))
