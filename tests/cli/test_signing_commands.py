"""`push --sign`, `model sign`, `model verify` and `pull --require-signature`, as they are typed."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.cli.command import Command


@pytest.fixture
def keys(cli: Command) -> Command:
    """The command in a folder with `a.pem`, `a.pub`, `b.pem` and `b.pub`."""
    for name in "ab":
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (cli.folder / f"{name}.pem").write_bytes(pem)
        (cli.folder / f"{name}.pub").write_bytes(public)
    return cli


def test_what_was_signed_when_pushed_is_pulled_and_verified(keys: Command) -> None:
    options = ("--model", "acme/signed", "--version", "1.0.0", "--changelog", "first", "--create")
    keys.ok("model", "push", keys.revision(), *options, "--sign", "a.pem")
    keys.ok("pull", "acme/signed@1.0.0", "got", "--require-signature", "a.pub")
    keys.ok("model", "verify", "acme/signed@1.0.0", "got", "--trusted", "a.pub", "--save", "model.sig")
    keys.ok("model", "verify", "got", "--signature", "model.sig", "--trusted", "a.pub")
    refused = keys("pull", "acme/signed@1.0.0", "other", "--require-signature", "b.pub")
    assert refused.code == 1
    assert refused.err.startswith("node-data: signature_refused: ")
    assert not (keys.folder / "other").exists()


def test_a_version_is_signed_later_and_a_changed_folder_is_refused_in_one_line(keys: Command) -> None:
    model = keys.published("acme/signed-later", "1.0.0")
    made = keys.ok("model", "sign", f"{model}@1.0.0", "--signing-key", "a.pem", "--json").json
    keys.ok("pull", f"{model}@1.0.0", "folder")
    (keys.folder / "model.sig").write_text(made["bundle"])
    (keys.folder / "folder" / "extra.txt").write_text("x")
    refused = keys("model", "verify", "folder", "--signature", "model.sig", "--trusted", "a.pub")
    assert refused.code == 1
    assert "extra.txt was not signed" in refused.err
    assert len(refused.err.splitlines()) == 1


def test_an_unusable_key_is_told_before_anything_is_published(keys: Command) -> None:
    options = ("--model", "acme/unsigned", "--version", "1.0.0", "--changelog", "first", "--create")
    refused = keys("model", "push", keys.revision(), *options, "--sign", "absent.pem")
    assert refused.code == 2
    assert "absent.pem" in refused.err
    assert keys("model", "show", "acme/unsigned").code == 1
