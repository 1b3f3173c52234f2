"""A registry in this process, keys, and the reference command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from nodedata_registry import NodeData
from tests.api.actor import CARD, policy_files
from tests.signatures.reference import reference_python

MakeKey = Callable[..., tuple[Path, Path]]


@pytest.fixture(scope="session")
def make_key(tmp_path_factory: pytest.TempPathFactory) -> MakeKey:
    """Return a maker of key pairs: the files of a private and its public key."""

    def make(curve: type[ec.EllipticCurve] = ec.SECP256R1) -> tuple[Path, Path]:
        folder = tmp_path_factory.mktemp("keys")
        key = ec.generate_private_key(curve())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "key.pem").write_bytes(pem)
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (folder / "key.pub").write_bytes(public)
        return folder / "key.pem", folder / "key.pub"

    return make


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NodeData]:
    """The owner of a registry that has `acme/grasp` 1.0.0."""
    for name in ("BASE_URL", "API_KEY", "OFFLINE", "CACHE", "OWNER_KEY"):
        monkeypatch.delenv(f"NODE_DATA_{name}", raising=False)
    source = tmp_path / "source"
    card = CARD.replace(b"license:", b"inputs: {x: [3]}\noutputs: {y: [1]}\nlicense:")
    for path, data in {**policy_files(1.0, 2.0), "model_card.md": card}.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes(data)
    with NodeData(path=tmp_path / "registry", cache=tmp_path / "cache") as opened:
        opened.workspaces.create("acme")
        opened.models.create("acme/grasp")
        opened.models.create_revision("acme/grasp", "1.0.0", source, "first")
        yield opened


@pytest.fixture(scope="session")
def reference() -> Path:
    """The interpreter that has `model_signing`."""
    return reference_python()
