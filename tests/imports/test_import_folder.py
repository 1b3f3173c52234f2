"""Importing folders: one as a version, or one for each version."""

from __future__ import annotations

from pathlib import Path

import pytest

from nodedata_registry.errors import InvalidWeights, NotFound
from nodedata_registry.sdk.imports.folder import FolderSource
from tests.imports.conftest import CARD, Importing, weights


def write(folder: Path, **files: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name.replace("_dot_", ".")).write_bytes(data)
    return folder


def test_one_folder_is_the_version_that_is_named(importing: Importing, tmp_path: Path) -> None:
    place = write(tmp_path / "grasp", a_dot_bin=b"a", model_card_dot_md=CARD)
    importing.run(FolderSource(place, "1.2.0"))
    assert importing.files("1.2.0") == {"a.bin": b"a", "model_card.md": CARD}


def test_a_folder_for_each_version_is_a_history(importing: Importing, tmp_path: Path) -> None:
    for number, name in enumerate(("v1.0.0", "1.1.0", "drafts")):
        write(tmp_path / "all" / name, model_dot_safetensors=weights(number), model_card_dot_md=CARD)
    plan = importing.run(FolderSource(tmp_path / "all"))
    assert importing.versions() == ["1.0.0", "1.1.0"]
    assert [one.name for one in plan.left] == ["drafts"]


def test_a_card_is_made_and_the_folder_stays_as_it_is(importing: Importing, tmp_path: Path) -> None:
    place = write(tmp_path / "grasp", model_dot_safetensors=weights(1))
    (place / "sub").mkdir()
    (place / "sub" / "b.bin").write_bytes(b"b")
    importing.run(FolderSource(place, "1.0.0"))
    assert set(importing.files("1.0.0")) == {"model.safetensors", "model_card.md", "sub/b.bin"}
    assert sorted(one.name for one in place.iterdir()) == ["model.safetensors", "sub"]
    assert importing.revision("1.0.0").license == "LicenseRef-unstated"


def test_a_card_that_does_not_pass_is_made_anew_and_the_file_stays(
    importing: Importing, tmp_path: Path
) -> None:
    broken = b"---\nlicense: no-such-thing\n---\n# Mine\n"
    place = write(tmp_path / "grasp", model_card_dot_md=broken)
    importing.run(FolderSource(place, "1.0.0"))
    assert importing.revision("1.0.0").license == "LicenseRef-no-such-thing"
    assert (place / "model_card.md").read_bytes() == broken


def test_the_same_files_again_are_left_and_told(importing: Importing, tmp_path: Path) -> None:
    for name in ("1.0.0", "1.0.1"):
        write(tmp_path / "all" / name, a_dot_bin=b"a", model_card_dot_md=CARD)
    importing.run(FolderSource(tmp_path / "all"))
    assert importing.versions() == ["1.0.0"]
    assert [(one.name, one.refused) for one in importing.left] == [("1.0.1", False)]


def test_broken_weights_are_refused_by_name(importing: Importing, tmp_path: Path) -> None:
    place = write(tmp_path / "grasp", model_dot_safetensors=b"not weights", model_card_dot_md=CARD)
    with pytest.raises(InvalidWeights, match=r"1\.0\.0 as 1\.0\.0: "):
        importing.run(FolderSource(place, "1.0.0"))


@pytest.mark.parametrize("name", ["gone", "."])
def test_a_folder_without_versions_is_told_with_what_to_do(
    importing: Importing, tmp_path: Path, name: str
) -> None:
    with pytest.raises(NotFound):
        importing.plan(FolderSource(tmp_path / name))
