"""Paths that every file system of a consumer can hold, and hold apart."""

from __future__ import annotations

import pytest

from nodedata_registry.core.paths import check_path, check_paths
from nodedata_registry.errors import InvalidPath


@pytest.mark.parametrize(
    "path",
    [
        "a",
        "weights/model.safetensors",
        ".gitattributes",
        "a..b/c",
        "...a",
        " leading space",
        "caf\u00e9/\u65e5\u672c.json",
        "console.txt",
        "com10.txt",
        "comma/com",
        "x" * 255,
        "/".join("d" * 32),
        "/".join(["e" * 100] * 10) + "/" + "f" * 14,
        "a,b;c=d(e)[f]{g}!@#$%^&'~`+",
    ],
)
def test_good_paths_are_returned(path: str) -> None:
    assert check_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("", id="empty"),
        pytest.param("..", id="parent"),
        pytest.param("../x", id="climbs out"),
        pytest.param("a/../../x", id="climbs out later"),
        pytest.param("a/../b", id="parent inside"),
        pytest.param("./a", id="dot"),
        pytest.param("a/./b", id="dot inside"),
        pytest.param("/etc/passwd", id="absolute"),
        pytest.param("//server/share", id="network share"),
        pytest.param("a//b", id="empty element"),
        pytest.param("a/", id="slash at the end"),
        pytest.param("C:/x", id="drive"),
        pytest.param("a:stream", id="alternate stream"),
        pytest.param("a\\b", id="backslash"),
        pytest.param("a\x00b", id="nul"),
        pytest.param("a\nb", id="newline"),
        pytest.param("a\x7f", id="delete"),
        pytest.param("a\x9f", id="C1 control"),
        pytest.param("a\u2028b", id="line separator"),
        pytest.param("a\ud800", id="half a surrogate pair"),
        *(pytest.param(f"a{character}", id=f"character {character}") for character in '*?"<>|'),
        pytest.param("a.", id="trailing dot"),
        pytest.param("a ", id="trailing space"),
        pytest.param("a./b", id="trailing dot of a folder"),
        pytest.param("a /b", id="trailing space of a folder"),
        pytest.param("cafe\u0301", id="not NFC"),
        pytest.param("x" * 256, id="element of 256 bytes"),
        pytest.param("\u00e9" * 128, id="element of 256 bytes in 128 characters"),
        pytest.param("/".join(["e" * 100] * 10) + "/" + "f" * 15, id="1025 bytes"),
        pytest.param("/".join("d" * 33), id="33 elements"),
    ],
)
def test_bad_paths_are_refused(path: str) -> None:
    with pytest.raises(InvalidPath) as caught:
        check_path(path)
    assert caught.value.field == "files"


@pytest.mark.parametrize(
    "name",
    [
        "con",
        "CON",
        "Prn",
        "aux",
        "nul",
        "COM0",
        "com1",
        "lpt9",
        "conin$",
        "CONOUT$",
        "COM\u00b9",
        "lpt\u00b3",
    ],
)
@pytest.mark.parametrize("shape", ["{}", "{}.txt", "a/{}", "{}/a", "{}.tar.gz", "{} .txt"])
def test_device_names_are_refused_in_any_case_with_any_extension(name: str, shape: str) -> None:
    with pytest.raises(InvalidPath, match="device name"):
        check_path(shape.format(name))


def test_paths_that_lie_apart_are_accepted() -> None:
    check_paths(["a", "b/a", "b/c", "b/d/e", "ab", "b.c"])


@pytest.mark.parametrize(
    "paths",
    [
        pytest.param(["README.md", "readme.md"], id="case"),
        pytest.param(["a/X", "a/x"], id="case inside a folder"),
        pytest.param(["A/x", "a/y"], id="case of a folder"),
        pytest.param(["stra\u00dfe", "strasse"], id="sharp s"),
        pytest.param(["\u00c9", "\u00e9"], id="accented letter"),
        pytest.param(["\u03a3", "\u03c2"], id="final sigma"),
        pytest.param(["\ufb01", "fi"], id="ligature"),
        pytest.param(["a", "a/b"], id="file then folder"),
        pytest.param(["a/b", "a"], id="folder then file"),
        pytest.param(["a/b/c", "a/b"], id="deeper folder then file"),
        pytest.param(["A", "a/b"], id="file and folder in another case"),
        pytest.param(["a", "a"], id="twice"),
        pytest.param(["a/b", "a/b"], id="twice in a folder"),
        pytest.param(["ok", "../x"], id="one bad path"),
    ],
)
def test_paths_that_clash_are_refused(paths: list[str]) -> None:
    with pytest.raises(InvalidPath):
        check_paths(paths)


def test_a_clash_names_both_paths() -> None:
    with pytest.raises(InvalidPath, match=r"'weights'.*'weights/a\.bin'"):
        check_paths(["weights/a.bin", "weights"])
