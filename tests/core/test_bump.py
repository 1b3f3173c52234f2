from __future__ import annotations

import msgspec
import pytest

from nodedata_registry.core.bump import (
    Bump,
    Finding,
    Verdict,
    asked_bump,
    check_verdict,
    judge,
    verdict,
)
from nodedata_registry.core.findings import FINDINGS, WARNS
from nodedata_registry.core.versions import Version
from nodedata_registry.core.weight_sets import set_of
from nodedata_registry.errors import InvalidReason, InvalidRequest, VersionTooLow
from tests.core.revision_builder import onnx, revision, safetensors

WALK = revision(
    files={"policy.onnx": onnx("inputs: {observation: [1, 93]}\noutputs: {action: [1, 29]}", "a")}
)
RETRAINED = revision(
    files={"policy.onnx": onnx("inputs: {observation: [1, 93]}\noutputs: {action: [1, 29]}", "b")}
)
DANCE = revision(
    files={"policy.onnx": onnx("inputs: {observation: [1, 100]}\noutputs: {action: [1, 29]}", "c")}
)


def judged(
    version: str, *bases: str, accept: dict[str, str] | None = None, candidate: object = DANCE
) -> Verdict:
    pairs = [(Version.parse(base), WALK) for base in bases]
    return verdict(Version.parse(version), pairs, candidate, accept or {})  # type: ignore[arg-type]


def test_a_bump_that_is_too_low_is_refused_with_every_finding() -> None:
    with pytest.raises(VersionTooLow) as caught:
        check_verdict(judged("1.2.0", "1.1.0"))
    error = caught.value
    assert "input `observation` changed shape from [1, 93] to [1, 100]" in error.message
    assert (error.details["asked"], error.details["declared"]) == ("major", "minor")
    assert [item["code"] for item in error.details["findings"]] == ["input_shape_changed", "weights_changed"]
    assert error.details["findings"][0]["base"] == "1.1.0"
    assert error.field == "version"


def test_the_bump_that_is_asked_for_is_accepted() -> None:
    check_verdict(judged("2.0.0", "1.1.0"))


def test_declaring_more_is_always_allowed() -> None:
    check_verdict(judged("2.0.0", "1.1.0", candidate=RETRAINED))


def test_a_first_revision_has_nothing_to_declare() -> None:
    first = judged("0.1.0")
    check_verdict(first)
    assert (first.bases, first.asked) == ((), Bump.NONE)


def test_versions_below_one_are_no_exception() -> None:
    with pytest.raises(VersionTooLow):
        check_verdict(judged("0.2.0", "0.1.0"))


def test_every_base_must_be_met() -> None:
    mixed = verdict(
        Version.parse("2.0.1"),
        [(Version.parse("1.0.0"), WALK), (Version.parse("2.0.0"), RETRAINED)],
        DANCE,
        {},
    )
    assert [base.ok for base in mixed.bases] == [True, False]
    with pytest.raises(VersionTooLow, match=r"from 2\.0\.0"):
        check_verdict(mixed)


def test_an_accepted_finding_asks_for_nothing_and_is_recorded() -> None:
    accepted = judged("1.1.1", "1.1.0", accept={"input_shape_changed": " nobody uses it "})
    check_verdict(accepted)
    assert [(item.code, item.reason) for item in accepted.accepted] == [
        ("input_shape_changed", "nobody uses it")
    ]
    assert "input_shape_changed" in [item.code for item in accepted.bases[0].findings]


def test_accepting_one_finding_lifts_no_other() -> None:
    with pytest.raises(VersionTooLow):
        check_verdict(judged("1.1.0", "1.1.0", accept={"input_shape_changed": "nobody uses it"}))


def test_an_acceptance_that_meets_no_finding_is_not_recorded() -> None:
    assert judged("2.0.0", "1.0.0", accept={"license_changed": "agreed"}).accepted == ()


def test_accepting_an_unknown_code_is_refused_with_the_nearest() -> None:
    with pytest.raises(InvalidRequest, match="input_shape_changed") as caught:
        judged("2.0.0", "1.0.0", accept={"input_shape_change": "x"})
    assert caught.value.field == "accept"


@pytest.mark.parametrize("reason", ["", "  ", "a\nb", "x" * 501])
def test_an_acceptance_needs_a_reason_of_one_line(reason: str) -> None:
    with pytest.raises(InvalidReason):
        judged("2.0.0", "1.0.0", accept={"input_shape_changed": reason})


def test_a_revision_whose_schema_nothing_states_is_warned_about() -> None:
    notices = judged("1.0.0", candidate=revision()).warnings
    assert [notice.code for notice in notices] == ["schema_unknown"]


def test_a_regression_warns_and_asks_for_a_patch() -> None:
    def rated(value: float, fill: int) -> object:
        card = (
            f"license: mit\ninputs: {{x: [1]}}\nbenchmarks: [{{name: a, metric: accuracy, value: {value}}}]"
        )
        return revision(card, {"model.safetensors": safetensors(fill=fill)})

    before, after = rated(0.9, 0), rated(0.5, 1)
    result = verdict(Version(1, 0, 1), [(Version(1, 0, 0), before)], after, {})  # type: ignore[list-item, arg-type]
    check_verdict(result)
    assert [notice.code for notice in result.warnings] == ["benchmark_regressed"]
    assert "from 0.9 to 0.5" in result.warnings[0].message


def test_findings_come_with_the_largest_demand_first() -> None:
    asks = [item.asks for item in judge(WALK, DANCE)]
    assert asks == sorted(asks, reverse=True)


def test_a_thousand_changed_files_make_a_short_list() -> None:
    many = {f"data/{index}.json": b"1" for index in range(1000)}
    found = judge(revision(files={}), revision(files=dict(many)))
    assert len(found) == 21
    assert "980 more" in found[-1].message


def test_a_verdict_becomes_json() -> None:
    decoded = msgspec.json.decode(msgspec.json.encode(judged("2.0.0", "1.0.0")))
    assert decoded["rules"] == 1
    assert decoded["bases"][0]["findings"][0]["code"] == "input_shape_changed"


def test_a_finding_becomes_what_the_wire_shows() -> None:
    shown = Finding("file_added", Bump.PATCH, "a.json was added", "a.json").to_json()
    assert shown == {
        "code": "file_added",
        "asks": "patch",
        "message": "a.json was added",
        "subject": "a.json",
    }


def test_every_warning_code_is_in_the_table() -> None:
    assert FINDINGS.keys() >= WARNS


def test_no_findings_ask_for_nothing() -> None:
    assert asked_bump([], {}) is Bump.NONE


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("model.safetensors", "model.safetensors"),
        ("model-00001-of-00002.safetensors", "model.safetensors"),
        (
            "unet/diffusion_pytorch_model-00001-of-00002.safetensors",
            "unet/diffusion_pytorch_model.safetensors",
        ),
        ("pytorch_model.bin.index.json", "pytorch_model.bin"),
        ("model.safetensors.index.fp16.json", "model.safetensors"),
        ("llama-00001-of-00003.gguf", "llama.gguf"),
        ("policy.onnx_data", "policy.onnx"),
        ("policy.onnx.data", "policy.onnx"),
        ("policy.onnx.data_1", "policy.onnx"),
        ("config.json", "config.json"),
        ("step-100-of-200.txt.md", "step-100-of-200.txt.md"),
    ],
)
def test_a_path_belongs_to_the_set(path: str, name: str) -> None:
    assert set_of(path) == name
