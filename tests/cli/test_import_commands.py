"""`node-data import`: the plan first, then what landed, as lines and as one document."""

from __future__ import annotations

from pathlib import Path

from tests.cli.command import Command, card


def releases(cli: Command, *names: str) -> str:
    """Write a folder for each release and return the folder of them all."""
    for number, name in enumerate(names):
        place = Path(cli.revision("policy", inputs=93 + number, touched=number))
        (cli.folder / "all").mkdir(exist_ok=True)
        (cli.folder / place).rename(cli.folder / "all" / name)
    return "all"


def test_a_dry_run_shows_the_plan_and_makes_nothing(cli: Command) -> None:
    place = releases(cli, "v1.0.0", "1.0.1", "drafts")
    ran = cli.ok("import", "folder", place, "--model", "acme/dry", "--create", "--dry-run")
    assert "1.0.1" in ran.out
    assert "drafts" in ran.out
    assert "nothing was fetched or published" in ran.out
    assert cli("model", "show", "acme/dry").code == 1


def test_findings_are_printed_and_the_history_is_imported(cli: Command) -> None:
    place = releases(cli, "1.0.0", "1.0.1")
    ran = cli.ok("import", "folder", place, "--model", "acme/history", "--create")
    assert "input_shape_changed" in ran.out
    assert "would have been refused" in ran.out
    shown = " ".join(cli.ok("model", "show", "acme/history@1.0.1").out.split())
    assert "imported from folder: file://" in shown
    again = cli.ok("import", "folder", place, "--model", "acme/history", "--json").json
    assert [one["version"] for one in again["done"]] == ["1.0.0", "1.0.1"]
    assert again["planned"] == again["imported"] == []


def test_one_document_tells_what_became_of_every_release(cli: Command) -> None:
    place = releases(cli, "1.0.0", "1.0.1", "drafts")
    (cli.folder / place / "1.0.1" / "model.safetensors").write_bytes(b"broken")
    ran = cli("import", "folder", place, "--model", "acme/some", "--create", "--keep-going", "--json")
    assert ran.code == 1
    assert [one["version"] for one in ran.json["imported"]] == ["1.0.0"]
    assert [(one["name"], one["refused"]) for one in ran.json["left"]] == [("drafts", False), ("1.0.1", True)]
    assert not any((cli.folder / "home" / ".cache" / "node-data" / "imports").glob("*/files"))


def test_what_is_refused_stops_with_one_line_that_names_the_release(cli: Command) -> None:
    place = releases(cli, "1.0.0", "1.0.1")
    (cli.folder / place / "1.0.0" / "model_card.md").write_text(card(inputs=-7))
    ran = cli("import", "folder", place, "--model", "acme/none")
    assert ran.code == 1
    assert "model_not_found" in ran.err
    assert cli("import", "folder", place, "--model", "acme/none", "--version", "1").code == 2


def test_sources_that_are_named_in_halves_are_usage_errors(cli: Command) -> None:
    for wrong in (
        ("hf", "a/b"),
        ("hf", "a/b", "--all-tags", "--version", "1.0.0"),
        ("git", ".", "--revision", "main"),
        ("mlflow", "m", "--number", "1"),
        ("mlflow", "m"),
        ("folder", "nowhere"),
    ):
        ran = cli("import", *wrong, "--model", "acme/x")
        assert ran.code == 2, ran.err
        assert len(ran.err.splitlines()) == 1
