"""The outer edge: help, exit codes, one line an error, streams, terminals, signals."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.command import PROGRAM, Command
from tests.cli.conftest import serving

HELP_SECONDS = 0.3
GROUPS = ("model", "account", "workspace", "member", "grant", "keys", "retention")
COLOUR = "\x1b[3"


def test_help_shows_every_command_with_examples(cli: Command) -> None:
    ran = cli.ok("--help")
    for name in (
        *GROUPS,
        "serve",
        "login",
        "whoami",
        "pull",
        "lock",
        "sync",
        "audit",
        "sweep",
        "fsck",
        "events",
        "Examples:",
    ):
        assert name in ran.out


@pytest.mark.parametrize("later", ["cache", "import"])
def test_what_belongs_to_later_has_no_stub(cli: Command, later: str) -> None:
    assert cli(later).code == 2


def test_every_command_has_help_and_json(cli: Command) -> None:
    script = """
import click
from nodedata_registry.cli.root import root
def leaves(group, path):
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            yield from leaves(found, (*path, name))
        else:
            yield (*path, name), found
for path, found in leaves(root, ()):
    assert found.help and found.epilog, path
    assert any("--json" in param.opts for param in found.params), path
    print(" ".join(path))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 30


def test_help_is_quick(cli: Command) -> None:
    seconds = []
    for _ in range(10):
        begun = time.perf_counter()
        cli.ok("--help")
        seconds.append(time.perf_counter() - begun)
        if min(seconds) < HELP_SECONDS:
            return
    pytest.fail(f"--help took {min(seconds):.2f} s at best")


def test_help_imports_nothing_heavy(cli: Command) -> None:
    heavy = ("rich", "urllib3", "msgspec", "blake3", "yaml", "numpy", "litestar", "sqlalchemy", "asyncio")
    script = (
        "import sys, contextlib, io\n"
        "from nodedata_registry.cli.root import root\n"
        "with contextlib.redirect_stdout(io.StringIO()): root.main(['--help'], standalone_mode=False)\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "arguments",
    [
        ("nosuch",),
        ("model", "nosuch"),
        ("pull",),
        ("pull", "a/b", "--nosuch"),
        ("member", "put", "a", "b", "c"),
    ],
)
def test_wrong_usage_is_one_line_that_names_the_help_and_exits_with_2(
    cli: Command, arguments: tuple[str, ...]
) -> None:
    ran = cli(*arguments)
    assert ran.code == 2
    (line,) = ran.err.splitlines()
    assert "--help" in line


@pytest.mark.parametrize("group", [(), ("model",), ("workspace",)])
def test_a_group_without_a_command_shows_its_help_as_it_is(cli: Command, group: tuple[str, ...]) -> None:
    ran = cli(*group)
    assert ran.code == 2
    assert ran.err == cli.ok(*group, "--help").out


def test_no_registry_known_says_how_to_name_one(cli: Command) -> None:
    ran = cli("whoami", NODE_DATA_BASE_URL="", NODE_DATA_API_KEY="")
    assert ran.code == 2
    assert "--url" in ran.err
    assert "node-data login" in ran.err


def test_an_error_with_json_is_a_document_too(cli: Command) -> None:
    ran = cli("model", "show", "acme/nowhere", "--json")
    assert ran.code == 1
    assert ran.json["error"]["code"] == "model_not_found"
    assert ran.json["error"]["request_id"].startswith("req_")
    assert len(ran.err.splitlines()) == 1


def test_a_usage_error_with_json_is_a_document_too(cli: Command) -> None:
    ran = cli("pull", "--json")
    assert ran.code == 2
    assert ran.json["error"]["code"] == "usage"


def test_a_reader_that_leaves_early_is_no_crash(cli: Command) -> None:
    command = f"{' '.join(PROGRAM[:2])} '{PROGRAM[2]}' events | true"
    done = subprocess.run(
        ["sh", "-c", command],
        capture_output=True,
        text=True,
        check=False,
        env=cli.environment(),
        cwd=cli.folder,
    )
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_ctrl_c_exits_with_130(cli: Command) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "login", cli.registry.url],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=cli.environment(NODE_DATA_API_KEY=""),
        cwd=cli.folder,
        text=True,
    )
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert process.stdin is not None
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    process.stdin.close()
    process.stderr.close()


def test_without_a_terminal_there_are_neither_bars_nor_colours(cli: Command) -> None:
    cli.published("acme/plain", "1.0.0", "1.0.1")
    for command in (("pull", "acme/plain", "plain"), ("model", "diff", "acme/plain")):
        ran = cli.ok(*command)
        assert "\x1b" not in ran.out + ran.err


def test_on_a_terminal_progress_is_drawn_on_stderr_only(cli: Command) -> None:
    cli.published("acme/drawn", "1.0.0")
    code, out, err = _on_a_terminal(cli, "pull", "acme/drawn", "drawn")
    assert code == 0
    assert out.strip() == str(cli.folder / "drawn")
    assert "Fetching" in err


def test_no_color_is_respected_on_a_terminal(cli: Command) -> None:
    cli.published("acme/colours", "1.0.0")
    _, _, coloured = _on_a_terminal(cli, "pull", "acme/colours", "one", TERM="xterm-256color")
    assert COLOUR in coloured
    code, _, plain = _on_a_terminal(cli, "pull", "acme/colours", "two", TERM="xterm-256color", NO_COLOR="1")
    assert code == 0
    assert COLOUR not in plain


def test_serve_prints_the_owner_key_once_and_where_it_serves(tmp_path: Path) -> None:
    with serving(tmp_path / "data", "", signal.SIGTERM) as first:
        assert (first["owner_key"] or "").startswith("nd_live_")
        assert (first["url"] or "").startswith("http://127.0.0.1:")
    with serving(tmp_path / "data", "", signal.SIGTERM) as second:
        assert second["owner_key"] is None


def test_serve_says_in_one_sentence_that_the_port_is_taken(cli: Command) -> None:
    port = cli.registry.url.rpartition(":")[2]
    ran = cli("serve", "--data", "other", "--port", port)
    assert ran.code == 2
    assert "port_in_use" in ran.err
    assert len(ran.err.splitlines()) == 1


def test_serve_says_in_one_sentence_that_the_folder_is_in_use(cli: Command) -> None:
    ran = cli("serve", "--data", str(cli.registry.data), "--port", "0")
    assert ran.code == 2
    assert "data_folder_in_use" in ran.err


def _on_a_terminal(cli: Command, *arguments: str, **extra: str) -> tuple[int, str, str]:
    """Run with a terminal as stderr; return the code, stdout, and what the terminal got."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        stderr=theirs,
        stdin=subprocess.DEVNULL,
        env=cli.environment(**{"TERM": "xterm", **extra}),
        cwd=cli.folder,
        text=True,
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            piece = os.read(ours, 65_536)
        except OSError:  # how Linux says that the other side was closed
            break
        if not piece:
            break
        seen += piece
    os.close(ours)
    out, _ = process.communicate(timeout=60)
    return process.returncode, out, seen.decode()
