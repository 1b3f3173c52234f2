"""Signatures beside revisions: good ones pass here and with the reference command, all others nowhere."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from nodedata_registry import NodeData
from nodedata_registry.errors import InvalidBundle, InvalidRequest, NodeDataError, SignatureRefused
from nodedata_registry.sdk import calls
from nodedata_registry.sdk.signing import load_signer, verify_folder
from tests.signatures.conftest import MakeKey
from tests.signatures.reference import reference_verifies

WEIGHTS = "weights/model.safetensors"


def tamper(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-1] + b"\xff")


def add(folder: Path) -> None:
    (folder / "extra.bin").write_bytes(b"x")


def take_away(folder: Path) -> None:
    (folder / WEIGHTS).unlink()


DAMAGE = [(tamper, "differs from what was signed"), (add, "was not signed"), (take_away, "is missing")]


@pytest.mark.parametrize("curve", [ec.SECP256R1, ec.SECP384R1, ec.SECP521R1])
@pytest.mark.timeout(400)
def test_the_reference_command_accepts_the_pulled_folder_and_the_bundle(
    node: NodeData, make_key: MakeKey, reference: Path, tmp_path: Path, curve: type[ec.EllipticCurve]
) -> None:
    private, public = make_key(curve)
    made = node.models.sign("acme/grasp", "1.0.0", private)
    folder = node.models.download("acme/grasp", "1.0.0", tmp_path / "pulled", require_signature=public)
    signature = tmp_path / "model.sig"
    signature.write_text(made.bundle)
    assert reference_verifies(reference, folder, signature, public)
    assert verify_folder(folder, signature, public).name == "acme/grasp"


@pytest.mark.timeout(400)
@pytest.mark.parametrize(("damage", "said"), DAMAGE)
def test_a_folder_that_differs_is_refused_by_the_reference_and_by_us_in_one_line(
    node: NodeData,
    make_key: MakeKey,
    reference: Path,
    tmp_path: Path,
    damage: Callable[[Path], None],
    said: str,
) -> None:
    private, public = make_key()
    signature = tmp_path / "model.sig"
    signature.write_text(node.models.sign("acme/grasp", "1.0.0", private).bundle)
    folder = tmp_path / "copy"
    shutil.copytree(tmp_path / "source", folder)
    damage(folder)
    assert not reference_verifies(reference, folder, signature, public)
    with pytest.raises(SignatureRefused, match=said) as refused:
        verify_folder(folder, signature, public)
    assert "\n" not in refused.value.message
    with pytest.raises(SignatureRefused, match=said):
        node.models.verify("acme/grasp", "1.0.0", public, folder=folder)


def test_signing_leaves_the_revision_as_it_was_and_is_an_event(node: NodeData, make_key: MakeKey) -> None:
    before = node.models.resolve("acme/grasp", "1.0.0")
    made = node.models.sign("acme/grasp", "1.0.0", make_key()[0])
    assert node.models.resolve("acme/grasp", "1.0.0") == before
    assert node.models.attestations("acme/grasp").items == [made]
    assert node.events.list().items[-1].kind == "revision.attested"


def test_a_signature_by_another_key_fetches_nothing(
    node: NodeData, make_key: MakeKey, tmp_path: Path
) -> None:
    node.models.sign("acme/grasp", "1.0.0", make_key()[0])
    with pytest.raises(SignatureRefused, match="another key"):
        node.models.download("acme/grasp", "1.0.0", tmp_path / "pulled", require_signature=make_key()[1])
    assert not (tmp_path / "pulled").exists()


def test_an_unsigned_revision_is_refused_where_a_signature_is_required(
    node: NodeData, make_key: MakeKey
) -> None:
    with pytest.raises(SignatureRefused, match="no signature"):
        node.models.download("acme/grasp", "1.0.0", require_signature=make_key()[1])


def test_a_signed_pin_is_verified_offline_from_the_cache(node: NodeData, make_key: MakeKey) -> None:
    private, public = make_key()
    node.models.sign("acme/grasp", "1.0.0", private)
    node.models.download("acme/grasp", "1.0.0", require_signature=public)
    kept = node.models.download("acme/grasp", "1.0.0", offline=True, require_signature=public)
    assert (kept / WEIGHTS).is_file()
    with pytest.raises(SignatureRefused):
        node.models.download("acme/grasp", "1.0.0", offline=True, require_signature=make_key()[1])


def put(node: NodeData, data: bytes) -> object:
    return node.models._connection.ask(calls.put_attestation("acme/grasp", "1.0.0", data))


@pytest.mark.parametrize("files", [{}, {"model_card.md": "0" * 64}, {"extra": "0" * 64}])
def test_the_registry_refuses_a_signature_over_other_files(
    node: NodeData, make_key: MakeKey, files: dict[str, str]
) -> None:
    data = load_signer(make_key()[0]).sign("acme/grasp", files)
    with pytest.raises(InvalidBundle, match=r"not over the files of acme/grasp 1\.0\.0"):
        put(node, data)
    assert node.models.attestations("acme/grasp").items == []


def test_a_truncated_bundle_is_refused_in_one_line(node: NodeData, make_key: MakeKey) -> None:
    whole = node.models.sign("acme/grasp", "1.0.0", make_key()[0]).bundle.encode()
    for length in range(0, len(whole), 97):
        with pytest.raises(InvalidBundle) as refused:
            put(node, whole[:length])
        assert "\n" not in refused.value.message


def test_the_same_bundle_again_is_the_same_attestation(node: NodeData, make_key: MakeKey) -> None:
    made = node.models.sign("acme/grasp", "1.0.0", make_key()[0])
    assert put(node, made.bundle.encode()) == made


def test_a_key_that_cannot_sign_is_said_to_be_unusable(node: NodeData, make_key: MakeKey) -> None:
    for key in (make_key(ec.SECP256K1)[0], make_key()[1], Path("absent.pem")):
        with pytest.raises(InvalidRequest, match="cannot be used"):
            node.models.sign("acme/grasp", "1.0.0", key)


def test_a_flipped_byte_of_the_signed_text_is_refused(
    node: NodeData, make_key: MakeKey, tmp_path: Path
) -> None:
    private, public = make_key()
    whole = node.models.sign("acme/grasp", "1.0.0", private).bundle
    place = whole.index('"payload":"') + 40
    other = whole[:place] + ("A" if whole[place] != "A" else "B") + whole[place + 1 :]
    (tmp_path / "model.sig").write_text(other)
    with pytest.raises(NodeDataError) as refused:
        verify_folder(tmp_path / "source", tmp_path / "model.sig", public)
    assert isinstance(refused.value, InvalidBundle | SignatureRefused)
