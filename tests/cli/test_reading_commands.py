"""`model list`, `show`, `diff` and `pull`: what a reader and a consumer type."""

from __future__ import annotations

from tests.cli.command import Command


def test_show_lists_the_revisions_of_a_model(cli: Command) -> None:
    cli.published("acme/shown", "1.0.0", "1.0.1")
    ran = cli.ok("model", "show", "acme/shown")
    assert "what 1.0.1 brings" in ran.out
    assert ran.out.index("1.0.1") < ran.out.rindex("1.0.0")


def test_show_of_a_selector_shows_the_revision_that_it_means(cli: Command) -> None:
    cli.published("acme/shown-one", "1.0.0", "1.0.1")
    ran = cli.ok("model", "show", "acme/shown-one@^1")
    assert "acme/shown-one 1.0.1" in ran.out
    assert "model.safetensors" in ran.out
    assert cli.ok("model", "show", "acme/shown-one", "1.0.0", "--json").json["resolved"] == "1.0.0"


def test_a_revision_named_twice_is_a_usage_error(cli: Command) -> None:
    ran = cli("model", "show", "acme/x@^1", "1.0.0")
    assert ran.code == 2
    assert "named twice" in ran.err


def test_list_finds_models_by_word_and_by_workspace(cli: Command) -> None:
    cli.published("acme/findable", "1.0.0")
    found = cli.ok("model", "list", "grasp", "--workspace", "acme", "--json").json
    assert "acme/findable" in [item["ref"] for item in found["items"]]
    assert cli.ok("model", "list", "nosuchwordanywhere").out.strip() == "No models."


def test_tables_fit_into_80_columns(cli: Command) -> None:
    cli.published("acme/a-model-with-a-name-that-is-rather-long", "1.0.0", "1.0.1")
    name = "acme/a-model-with-a-name-that-is-rather-long"
    for command in (("model", "list"), ("model", "show", name), ("model", "diff", name), ("events",)):
        ran = cli.ok(*command, COLUMNS="80")
        assert max(len(line) for line in ran.out.splitlines()) <= 80, ran.out


def test_diff_counts_the_scalars_that_were_touched(cli: Command) -> None:
    cli.published("acme/compared", "1.0.0")
    push = ("--model", "acme/compared", "--version", "1.1.0", "--changelog", "better")
    cli.ok("model", "push", cli.revision(touched=17, success=0.9), *push)
    ran = cli.ok("model", "diff", "acme/compared", "1.0.0..1.1.0")
    assert "17 of 4,160 touched" in ran.out
    assert "encoder.attention.weight" in ran.out
    assert "▲" in ran.out
    assert "improved" in ran.out
    assert "declares minor, the evidence asks for minor ✓" in ran.out


def test_every_spelling_of_a_pair_gives_the_same_diff(cli: Command) -> None:
    cli.published("acme/spelt", "1.0.0", "1.0.1")
    spellings = (
        ("acme/spelt", "1.0.0..1.0.1"),
        ("acme/spelt", "1.0.0", "1.0.1"),
        ("acme/spelt@1.0.0..1.0.1",),
        ("acme/spelt@1.0.1",),
        ("acme/spelt",),
    )
    documents = [cli.ok("model", "diff", *spelling, "--json").json for spelling in spellings]
    assert documents[0]["parameters"]["touched"] == 1
    assert all(document == documents[0] for document in documents)


def test_a_first_revision_has_nothing_to_be_compared_with(cli: Command) -> None:
    cli.published("acme/only", "1.0.0")
    ran = cli("model", "diff", "acme/only")
    assert ran.code == 2
    assert "has no parent" in ran.err


def test_pull_prints_the_folder_that_holds_the_revision(cli: Command) -> None:
    cli.published("acme/pulled", "1.0.0")
    ran = cli.ok("pull", "acme/pulled@^1", "here")
    assert ran.out.strip() == str(cli.folder / "here")
    assert sorted(path.name for path in (cli.folder / "here").iterdir()) == [
        "model.safetensors",
        "model_card.md",
    ]


def test_pull_with_json_names_what_was_resolved(cli: Command) -> None:
    cli.published("acme/pulled-json", "1.0.0", "1.0.1")
    document = cli.ok("pull", "acme/pulled-json@~1.0", "--json").json
    assert document["requested"] == "~1.0"
    assert document["resolved"] == "1.0.1"
    assert len(document["digest"]) == 64
    assert document["yanked"] is None


def test_pull_dry_run_forecasts_only_what_the_cache_lacks(cli: Command) -> None:
    cli.published("acme/forecast", "1.0.0", "1.0.1")
    first = cli.ok("pull", "acme/forecast@1.0.0", "--dry-run", "--json").json
    assert first["fetch_bytes"] > 0
    cli.ok("pull", "acme/forecast@1.0.0")
    assert cli.ok("pull", "acme/forecast@1.0.0", "--dry-run", "--json").json["fetch_bytes"] == 0
    assert "0 B to fetch" in cli.ok("pull", "acme/forecast@1.0.0", "--dry-run").out


def test_pull_of_a_part_gives_just_that(cli: Command) -> None:
    cli.published("acme/part", "1.0.0")
    cli.ok("pull", "acme/part", "part", "--include", "*.md")
    assert [path.name for path in (cli.folder / "part").iterdir()] == ["model_card.md"]


def test_pull_leaves_a_foreign_folder_alone(cli: Command) -> None:
    cli.published("acme/foreign", "1.0.0")
    (cli.folder / "mine").mkdir()
    (cli.folder / "mine" / "notes").write_text("mine")
    ran = cli("pull", "acme/foreign", "mine")
    assert ran.code == 1
    assert "dest_not_empty" in ran.err
    assert (cli.folder / "mine" / "notes").read_text() == "mine"


def test_pull_of_a_yanked_pin_works_and_warns_in_one_line_each_time(cli: Command) -> None:
    cli.published("acme/pinned", "1.0.0", "1.0.1")
    cli.ok("model", "yank", "acme/pinned@1.0.0", "--reason", "drops [bold]small[/bold] objects")
    for _ in range(2):
        ran = cli.ok("pull", "acme/pinned@1.0.0")
        (line,) = [line for line in ran.err.splitlines() if line.startswith("warning: ")]
        assert "drops [bold]small[/bold] objects" in line
        assert "use 1.0.1" in line


def test_deny_yanked_refuses_and_says_the_reason(cli: Command) -> None:
    cli.published("acme/denied", "1.0.0")
    cli.ok("model", "yank", "acme/denied@1.0.0", "--reason", "wrong joints")
    ran = cli("pull", "acme/denied@1.0.0", "--deny-yanked")
    assert ran.code == 1
    assert "revision_yanked" in ran.err
    assert "wrong joints" in ran.err


def test_offline_serves_a_cached_pin_and_says_what_it_lacks(cli: Command) -> None:
    cli.published("acme/offline", "1.0.0", "1.0.1")
    cli.ok("pull", "acme/offline@1.0.0")
    assert cli.ok("pull", "acme/offline@1.0.0", "--offline").out
    ran = cli("pull", "acme/offline@1.0.1", "--offline")
    assert ran.code == 2
    assert "not_in_cache" in ran.err


def test_what_others_wrote_cannot_act_on_the_terminal(cli: Command) -> None:
    changelog = "fine \x1b[31m \x1b]0;title\x07 [red]text[/red] \u202etxt"
    push = ("--model", "acme/escape", "--version", "1.0.0", "--create", "--changelog", changelog)
    cli.ok("model", "push", cli.revision(), *push)
    ran = cli.ok("model", "show", "acme/escape@1.0.0")
    assert "[red]text[/red]" in ran.out
    assert not set(ran.out) & {"\x1b", "\x07", "\u202e"}
