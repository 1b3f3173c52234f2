"""The house keeps its own rules: imports, docs that match the code, shapes of functions and files."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodedata_registry.core.findings import FINDINGS
from nodedata_registry.core.versions import Bump
from nodedata_registry.errors import NodeDataError
from nodedata_registry.server.api.status import STATUS

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "nodedata_registry"
FILES = sorted(SOURCE.rglob("*.py"))


def tracked() -> list[Path]:
    """Return every tracked text file of the project."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def functions() -> Iterator[tuple[str, int]]:
    """Yield every function with its length in lines, docstring left out."""
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[0]
                documented = ast.get_docstring(node, clean=False) is not None
                doc_lines = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
                yield (
                    f"{file.relative_to(SOURCE)}:{node.name}",
                    (node.end_lineno or 0) - node.lineno + 1 - doc_lines,
                )


def test_the_import_contracts_are_kept() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


def test_functions_are_short() -> None:
    lengths = dict(functions())
    over = {name: lines for name, lines in lengths.items() if lines > 50}
    assert over == {}
    assert statistics.median(lengths.values()) <= 9
    assert statistics.quantiles(lengths.values(), n=10)[8] <= 30


def test_files_are_short() -> None:
    sizes = {str(file.relative_to(SOURCE)): file.read_text("utf-8").count("\n") for file in FILES}
    assert {name: lines for name, lines in sizes.items() if lines > 600} == {}
    assert {name: lines for name, lines in sizes.items() if name.startswith("core/") and lines > 320} == {}


def test_every_module_says_what_it_is_for() -> None:
    silent = [file for file in FILES if ast.get_docstring(ast.parse(file.read_text("utf-8"))) is None]
    assert silent == []


def test_the_readme_fits_on_120_lines() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 120


def test_every_error_code_has_a_status() -> None:
    assert set(STATUS) == set(NodeDataError.codes())


def test_the_api_page_lists_the_codes_that_are_answered_under_their_statuses() -> None:
    abstract = {"invalid_input", "rule_broken", "gone", "access_refused", "transfer_failed", "limit_reached"}
    only_local = {"dest_not_empty", "registry_unreachable", "not_in_cache", "extra_missing"}
    only_local |= {"invalid_lock", "lock_outdated", "other_registry", "too_young", "signature_refused"}
    at_start = {"cannot_start", "port_in_use", "data_folder_in_use", "data_folder_not_writable"}
    unlisted = abstract | only_local | at_start | {"catalog_too_new"}
    page = (ROOT / "docs" / "API.md").read_text("utf-8")
    rows = re.findall(r"^\| ([\d, ]+) \| (`.*`) \|$", page, re.MULTILINE)
    listed = {code: statuses for statuses, codes in rows for code in re.findall(r"`(\w+)`", codes)}
    assert set(listed) == set(STATUS) - unlisted
    for code, statuses in listed.items():
        assert str(STATUS[code]) in statuses, code


@pytest.mark.parametrize("bump", [Bump.MAJOR, Bump.MINOR, Bump.PATCH])
def test_the_page_on_bumps_lists_every_finding_under_its_bump(bump: Bump) -> None:
    page = (ROOT / "docs" / "BUMPS.md").read_text("utf-8")
    section = page.split(f"## {bump.name}")[1].split("\n## ")[0]
    rows = "\n".join(re.findall(r"^\| (`.*`) \|", section, re.MULTILINE))
    assert set(re.findall(r"`(\w+)`", rows)) == {code for code, asks in FINDINGS.items() if asks is bump}


def test_links_between_pages_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_no_file_names_a_machine_or_a_package_host() -> None:
    forbidden = re.compile(
        r"/w[o]rk/|\.\./[s]hared|https?://[^ \"]+\.(whl|tgz|tar\.gz|deb)\b|\"resolved\": *\"https?:"
    )
    named = []
    for file in tracked():
        if file == Path(__file__) or file.suffix in {".png", ".safetensors", ".onnx"}:
            continue
        if forbidden.search(file.read_text("utf-8", errors="replace")):
            named.append(str(file.relative_to(ROOT)))
    assert named == []
