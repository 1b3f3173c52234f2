"""`model init`, `check`, `push`: what a publisher types, and what comes back."""

from __future__ import annotations

import pytest

from tests.cli.command import Command


def test_init_writes_a_card_that_can_be_published(cli: Command) -> None:
    cli.ok("model", "init", "fresh", "--license", "mit", "--name", "Fresh policy")
    ran = cli.ok(
        "model",
        "push",
        "fresh",
        "--model",
        "acme/fresh",
        "--version",
        "1.0.0",
        "--changelog",
        "c",
        "--create",
    )
    assert "Published acme/fresh 1.0.0" in ran.out


def test_init_never_overwrites_a_card(cli: Command) -> None:
    cli.revision()
    before = (cli.folder / "policy" / "model_card.md").read_text()
    ran = cli("model", "init", "policy")
    assert ran.code == 1
    assert "dest_not_empty" in ran.err
    assert (cli.folder / "policy" / "model_card.md").read_text() == before


def test_init_does_not_hide_a_readme_that_is_the_card(cli: Command) -> None:
    (cli.folder / "README.md").write_text("---\nlicense: mit\n---\n")
    assert cli("model", "init").code == 1
    assert not (cli.folder / "model_card.md").exists()


def test_push_publishes_a_folder_and_prints_how_to_pull_it(cli: Command) -> None:
    push = ("--model", "acme/push", "--version", "1.0.0", "--changelog", "first", "--create")
    ran = cli.ok("model", "push", cli.revision(), *push)
    assert "node-data pull acme/push@1.0.0" in ran.out
    assert "Made the private model acme/push." in ran.err


def test_push_with_json_prints_the_revision_and_nothing_else(cli: Command) -> None:
    push = ("--model", "acme/push-json", "--version", "1.0.0", "--changelog", "first", "--create")
    ran = cli.ok("model", "push", cli.revision(), *push, "--json")
    assert ran.json["version"] == "1.0.0"
    assert ran.json["model"] == "acme/push-json"


def test_push_makes_no_model_unless_asked(cli: Command) -> None:
    ran = cli(
        "model", "push", cli.revision(), "--model", "acme/absent", "--version", "1.0.0", "--changelog", "c"
    )
    assert ran.code == 1
    assert "model_not_found" in ran.err


def test_push_reads_the_changelog_from_a_file(cli: Command) -> None:
    (cli.folder / "CHANGES.md").write_text("from the file\n")
    push = (
        "--model",
        "acme/from-file",
        "--version",
        "1.0.0",
        "--changelog",
        "@CHANGES.md",
        "--create",
        "--json",
    )
    assert cli.ok("model", "push", cli.revision(), *push).json["changelog"].strip() == "from the file"


def test_push_reads_the_changelog_from_stdin(cli: Command) -> None:
    push = ("--model", "acme/from-stdin", "--version", "1.0.0", "--changelog", "-", "--create", "--json")
    ran = cli("model", "push", cli.revision(), *push, stdin="from stdin\n")
    assert ran.json["changelog"].strip() == "from stdin"


def test_push_of_files_lays_them_over_the_parent(cli: Command) -> None:
    cli.published("acme/overlay", "1.0.0")
    cli.revision(touched=5)
    weights = str(cli.folder / "policy" / "model.safetensors")
    push = ("--model", "acme/overlay", "--version", "auto", "--changelog", "c", "--json")
    ran = cli("model", "push", weights, *push, "--root", "policy")
    assert ran.code == 0, ran.err
    assert ran.json["version"] == "1.0.1"
    assert ran.json["file_count"] == 2


def test_push_removes_files_by_name(cli: Command) -> None:
    folder = cli.revision()
    (cli.folder / folder / "notes.txt").write_text("notes")
    to = ("--model", "acme/removing", "--changelog", "c", "--json")
    cli.ok("model", "push", folder, *to, "--version", "1.0.0", "--create")
    ran = cli.ok("model", "push", *to, "--version", "1.0.1", "--remove", "notes.txt")
    assert ran.json["file_count"] == 2


def test_push_refused_for_its_bump_is_one_line_with_code_and_request(cli: Command) -> None:
    cli.published("acme/too-low", "1.0.0")
    cli.revision(inputs=94)
    ran = cli("model", "push", "policy", "--model", "acme/too-low", "--version", "1.1.0", "--changelog", "c")
    assert ran.code == 1
    assert ran.out == ""
    (line,) = ran.err.splitlines()
    assert line.startswith("node-data: version_too_low: ")
    assert "--version auto" in line
    assert "(request req_" in line


def test_push_accepts_a_finding_with_a_reason(cli: Command) -> None:
    cli.published("acme/accepting", "1.0.0")
    cli.revision(inputs=94)
    push = ("--model", "acme/accepting", "--version", "1.0.1", "--changelog", "c", "--json")
    ran = cli.ok("model", "push", "policy", *push, "--accept", "input_shape_changed=nobody reads it yet")
    assert ran.json["verdict"]["accepted"] == [
        {"code": "input_shape_changed", "reason": "nobody reads it yet"}
    ]


def test_a_gap_is_refused_unless_it_is_meant(cli: Command) -> None:
    cli.published("acme/gap", "1.0.0")
    push = (
        "model",
        "push",
        cli.revision(touched=3),
        "--model",
        "acme/gap",
        "--version",
        "1.50.0",
        "--changelog",
        "c",
    )
    refused = cli(*push)
    assert refused.code == 1
    assert "--allow-gap" in refused.err
    assert cli(*push, "--allow-gap").code == 0


def test_visibility_goes_with_create_only(cli: Command) -> None:
    push = ("--model", "acme/x", "--version", "1.0.0", "--changelog", "c", "--visibility", "public")
    ran = cli("model", "push", cli.revision(), *push)
    assert ran.code == 2
    assert "--create" in ran.err


def test_check_gives_a_verdict_and_publishes_nothing(cli: Command) -> None:
    cli.published("acme/checked", "1.0.0")
    ran = cli("model", "check", cli.revision(touched=7), "--model", "acme/checked", "--version", "1.0.1")
    assert ran.code == 0, ran.err
    assert "weights_changed" in ran.out
    assert len(cli.ok("model", "show", "acme/checked", "--json").json["revisions"]["items"]) == 1


def test_check_exits_with_100_when_the_bump_is_too_low(cli: Command) -> None:
    cli.published("acme/check-low", "1.0.0")
    ran = cli(
        "model",
        "check",
        cli.revision(success=0.95, touched=1),
        "--model",
        "acme/check-low",
        "--version",
        "1.0.1",
    )
    assert ran.code == 100
    assert "bump too low" in ran.out
    assert "benchmark_improved" in ran.out


def test_check_with_json_gives_the_findings_and_100(cli: Command) -> None:
    cli.published("acme/check-json", "1.0.0")
    check = ("--model", "acme/check-json", "--version", "1.1.0", "--json")
    ran = cli("model", "check", cli.revision(inputs=94), *check)
    assert ran.code == 100
    assert ran.json["ok"] is False
    assert ran.json["verdict"]["asked"] == "major"


@pytest.mark.parametrize(
    "arguments",
    [
        ("policy", "--model", "acme/nowhere", "--version", "1.0.0"),
        ("policy", "--model", "acme/nowhere", "--version", "1.0"),
        ("absent", "--model", "acme/nowhere", "--version", "1.0.0"),
        ("--model", "acme/nowhere", "--version", "1.0.0"),
        ("policy", "--model", "acme/nowhere", "--version", "1.0.0", "--url", "http://127.0.0.1:9"),
        ("policy", "--model", "acme/nowhere", "--version", "1.0.0", "--accept", "input_renamed"),
    ],
)
def test_check_exits_with_2_when_no_verdict_can_be_had(cli: Command, arguments: tuple[str, ...]) -> None:
    cli.revision()
    ran = cli("model", "check", *arguments)
    assert ran.code == 2
    assert len(ran.err.splitlines()) == 1


def test_warnings_of_a_publish_are_one_line_each_on_stderr(cli: Command) -> None:
    folder = cli.folder / "bare"
    folder.mkdir()
    (folder / "model_card.md").write_text("---\nlicense: mit\n---\n")
    push = ("--model", "acme/bare", "--version", "1.0.0", "--changelog", "c", "--create", "--json")
    ran = cli.ok("model", "push", "bare", *push)
    lines = [line for line in ran.err.splitlines() if line.startswith("warning: ")]
    assert len(lines) == len(ran.json["warnings"]) > 0
