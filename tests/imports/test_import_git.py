"""Importing the tags of a real git repository."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from nodedata_registry.errors import InvalidPath, NotFound
from nodedata_registry.sdk.imports.git import GitSource
from nodedata_registry.sdk.imports.release import Release
from nodedata_registry.sdk.progress import Progress, ProgressCallback
from tests.imports.conftest import CARD, Importing, Repository, weights


@pytest.fixture
def source(repository: Repository, tmp_path: Path) -> GitSource:
    return GitSource(str(repository.folder), tmp_path / "clones")


def history(repository: Repository) -> None:
    """Write a history that no gate would pass: the licence changes in a patch."""
    repository.commit({"model_card.md": CARD, "model.safetensors": weights(1)}, "v1.0.0", "first")
    repository.commit({"model.safetensors": weights(2), "notes/a.txt": b"a"})
    repository.git("tag", "--annotate", "v1.0.1", "--message", "Better grips\n\nTrained longer.")
    repository.commit({"model_card.md": CARD.replace(b"mit", b"apache-2.0")}, "v1.0.2")
    repository.git("rm", "--quiet", "-r", "notes")
    repository.commit({"model.safetensors": weights(3)}, "v1.4.0")
    repository.git("tag", "nightly")
    repository.git("tag", "v2.0.0-rc1")


def test_tags_that_are_versions_become_revisions(
    repository: Repository, source: GitSource, importing: Importing
) -> None:
    history(repository)
    plan = importing.run(source)
    assert importing.versions() == ["1.0.0", "1.0.1", "1.0.2", "1.4.0"]
    assert sorted(one.name for one in plan.left) == ["nightly", "v2.0.0-rc1"]
    assert set(importing.files("1.0.2")) == {"model.safetensors", "model_card.md", "notes/a.txt"}
    assert importing.files("1.4.0") == {
        "model.safetensors": weights(3),
        "model_card.md": CARD.replace(b"mit", b"apache-2.0"),
    }


def test_findings_are_recorded_and_the_source_with_them(
    repository: Repository, source: GitSource, importing: Importing
) -> None:
    history(repository)
    importing.run(source)
    verdict = importing.revision("1.0.2").verdict
    assert [(base.declared, base.asked) for base in verdict.bases] == [("patch", "major")]
    assert verdict.imported is not None
    assert verdict.imported.source == "git"
    commit = repository.git("rev-parse", "v1.0.2")
    assert verdict.imported.reference == f"{repository.folder.as_uri()}@v1.0.2 ({commit})"


def test_the_message_of_a_tag_is_the_changelog(
    repository: Repository, source: GitSource, importing: Importing
) -> None:
    history(repository)
    importing.run(source)
    assert importing.revision("1.0.0").changelog == "first"
    assert importing.revision("1.0.1").changelog == "Better grips\n\nTrained longer."


def test_importing_again_finds_everything_done_and_later_the_new_tag(
    repository: Repository, source: GitSource, importing: Importing
) -> None:
    history(repository)
    importing.run(source)
    assert importing.plan(source).steps == ()
    assert len(importing.plan(source).done) == 4
    repository.commit({"model.safetensors": weights(9)}, "v1.5.0")
    assert [str(step.version) for step in importing.run(source).steps] == ["1.5.0"]


def test_a_tag_that_was_moved_is_told_and_changes_nothing(
    repository: Repository, source: GitSource, importing: Importing
) -> None:
    history(repository)
    importing.run(source)
    repository.commit({"model.safetensors": weights(7)})
    repository.git("tag", "--force", "v1.0.1")
    left = {one.name: one.why for one in importing.plan(source).left}
    assert "imported already, from" in left["v1.0.1"]


def test_one_revision_becomes_the_version_that_is_named(
    repository: Repository, importing: Importing, tmp_path: Path
) -> None:
    history(repository)
    importing.run(GitSource(str(repository.folder), tmp_path / "clones", "v1.0.0~0", "3.0.0"))
    assert importing.versions() == ["3.0.0"]
    with pytest.raises(NotFound):
        importing.plan(GitSource(str(repository.folder), tmp_path / "clones", "nowhere", "3.0.1"))
    with pytest.raises(NotFound):
        importing.plan(GitSource(str(repository.folder), tmp_path / "clones", "--all", "3.0.1"))


def test_an_address_is_cloned_once_and_brought_up_to_date(
    repository: Repository, importing: Importing, tmp_path: Path
) -> None:
    repository.commit({"model_card.md": CARD, "a.bin": b"1"}, "v1.0.0")
    address = GitSource(repository.folder.as_uri(), tmp_path / "clones")
    importing.run(address)
    repository.commit({"a.bin": b"2"}, "v1.1.0")
    again = GitSource(repository.folder.as_uri(), tmp_path / "clones")
    assert [str(step.version) for step in importing.run(again).steps] == ["1.1.0"]
    assert len(list((tmp_path / "clones").iterdir())) == 1


def test_a_licence_file_and_a_readme_make_the_card(
    repository: Repository, source: GitSource, importing: Importing
) -> None:
    files = {"LICENSE": b"MIT License\n\nCopyright (c) 2026\n", "README.md": b"# Grasp\n\nA policy.\n"}
    repository.commit({**files, "model.safetensors": weights(1)}, "v1.0.0")
    importing.run(source)
    assert importing.landed[0].card_made
    revision = importing.revision("1.0.0")
    assert (revision.title, revision.license) == ("grasp-policy", "MIT")
    made = importing.files("1.0.0")
    assert made["README.md"] == files["README.md"]
    assert made["model_card.md"].decode().endswith("# Grasp\n\nA policy.\n")


def test_bytes_are_those_of_the_commit_whatever_attributes_say(
    repository: Repository, source: GitSource, importing: Importing
) -> None:
    crlf = b"one\r\ntwo\r\n"
    files = {".gitattributes": b"* -text export-ignore\n", "config.txt": crlf, "model_card.md": CARD}
    repository.commit(files, "v1.0.0")
    importing.run(source)
    assert importing.files("1.0.0")["config.txt"] == crlf


def test_a_link_inside_is_followed_and_one_that_leads_out_is_refused(
    repository: Repository, source: GitSource, importing: Importing
) -> None:
    repository.commit({"model_card.md": CARD, "weights/a.bin": b"a"})
    (repository.folder / "best.bin").symlink_to("weights/a.bin")
    repository.commit({}, "v1.0.0")
    (repository.folder / "out.bin").symlink_to("../../etc/passwd")
    repository.commit({}, "v1.1.0")
    with pytest.raises(NotFound, match=r"v1\.1\.0 as 1\.1\.0: out\.bin is a symbolic link"):
        importing.run(source)
    assert importing.files("1.0.0")["best.bin"] == b"a"


def pointer_to(data: bytes) -> tuple[str, bytes]:
    oid = hashlib.sha256(data).hexdigest()
    lines = ("version https://git-lfs.github.com/spec/v1", f"oid sha256:{oid}", f"size {len(data)}", "")
    return oid, "\n".join(lines).encode()


def test_a_large_file_pointer_is_replaced_by_its_object_or_refused(
    repository: Repository, source: GitSource, importing: Importing
) -> None:
    oid, pointer = pointer_to(weights(5))
    repository.commit({"model_card.md": CARD, "model.safetensors": pointer}, "v1.0.0")
    with pytest.raises(NotFound, match="Git LFS pointer"):
        importing.run(source)
    stored = repository.folder / ".git" / "lfs" / "objects" / oid[:2] / oid[2:4] / oid
    stored.parent.mkdir(parents=True)
    stored.write_bytes(weights(5))
    importing.run(source)
    assert importing.files("1.0.0")["model.safetensors"] == weights(5)
    assert stored.read_bytes() == weights(5)


def test_what_is_refused_stops_the_import_and_may_be_left_out(
    repository: Repository, source: GitSource, importing: Importing
) -> None:
    repository.commit({"model_card.md": CARD, "model.safetensors": weights(1)}, "v1.0.0")
    repository.commit({"a:b.txt": b"no such path in a manifest"}, "v1.1.0")
    repository.git("rm", "--quiet", "a:b.txt")
    repository.commit({"model.safetensors": weights(2)}, "v1.2.0")
    with pytest.raises(InvalidPath, match=r"v1\.1\.0 as 1\.1\.0"):
        importing.run(source)
    assert importing.versions() == ["1.0.0"]
    importing.run(source, keep_going=True)
    assert importing.versions() == ["1.0.0", "1.2.0"]
    assert [(one.name, one.refused) for one in importing.left] == [("v1.1.0", True)]


class Interrupted(Exception):
    """The person pulled the plug."""


class Cut(GitSource):
    """A repository that stops giving after so many releases."""

    rest = 2

    def fetch(self, release: Release, folder: Path, progress: ProgressCallback | None) -> Path:
        def watch(far: Progress) -> None:
            if self.rest == 0:
                raise Interrupted

        done = super().fetch(release, folder, watch)
        self.rest -= 1
        return done


def test_an_interrupted_import_goes_on_where_it_was(
    repository: Repository, source: GitSource, importing: Importing, tmp_path: Path
) -> None:
    history(repository)
    with pytest.raises(Interrupted):
        importing.run(Cut(str(repository.folder), tmp_path / "clones"))
    assert importing.versions() == ["1.0.0", "1.0.1"]
    assert any(importing.staging.iterdir())
    plan = importing.run(source)
    assert [str(step.version) for step in plan.steps] == ["1.0.2", "1.4.0"]
    assert importing.versions() == ["1.0.0", "1.0.1", "1.0.2", "1.4.0"]
    assert not any(importing.staging.iterdir())


def test_what_is_no_repository_is_said_in_one_line(importing: Importing, tmp_path: Path) -> None:
    for place in ("/nowhere/at/all", "--upload-pack=touch /tmp/x", (tmp_path / "gone").as_uri()):
        with pytest.raises(NotFound) as caught:
            importing.plan(GitSource(place, tmp_path / "clones"))
        assert "\n" not in caught.value.message


def test_a_repository_with_a_lost_object_says_so(
    repository: Repository, source: GitSource, importing: Importing
) -> None:
    repository.commit({"model_card.md": CARD, "model.safetensors": weights(1)}, "v1.0.0")
    shutil.rmtree(repository.folder / ".git" / "objects")
    (repository.folder / ".git" / "objects").mkdir()
    with pytest.raises(NotFound):
        importing.run(source)
    assert importing.versions() == []
