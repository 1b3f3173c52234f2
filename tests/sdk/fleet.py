"""Project folders and small models for the tests of lock, sync and audit."""

from __future__ import annotations

import hashlib
from pathlib import Path

from nodedata_registry import NodeData
from tests.sdk.weights import write_model, write_weights

GRASP, DETECT, PLACE = "acme/grasp", "acme/detect", "acme/place"


def publish(node: NodeData, work: Path, model: str, *versions: str) -> None:
    """Publish versions that differ in one scalar each, making the model if need be."""
    known = {one.ref for one in node.models.list("acme").items}
    if model not in known:
        node.models.create(model, visibility="public")
    seed = int.from_bytes(hashlib.sha256(model.encode()).digest()[:2], "big")
    for version in versions:
        number = sum(map(int, version.split(".")))
        folder = write_model(work / "published", side=40, seed=seed)
        write_weights(folder / "model.safetensors", side=40, seed=seed + 100_000 * number)
        node.models.create_revision(model, version, folder, f"what {version} brings")


def want(project: Path, general: str = "", **models: str) -> Path:
    """Write a `node-data.toml`; each keyword names a model of `acme`."""
    project.mkdir(parents=True, exist_ok=True)
    lines = [general, "[models]", *(f'"acme/{name}" = {wish}' for name, wish in models.items())]
    (project / "node-data.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return project


def lock_text(project: Path) -> str:
    """Return the text of the project's lock."""
    return (project / "node-data.lock").read_text(encoding="utf-8")


def edit_lock(project: Path, old: str, new: str) -> None:
    """Change the lock by hand."""
    text = lock_text(project)
    assert old in text
    (project / "node-data.lock").write_text(text.replace(old, new), encoding="utf-8")


def contents(folder: Path) -> dict[str, str]:
    """Return {path: sha256} of a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def flip_a_bit(path: Path) -> None:
    """Damage a file as a failing disk does: size and times stay."""
    import os

    status = path.stat()
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(status.st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    path.chmod(status.st_mode & 0o777)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
