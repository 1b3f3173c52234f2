"""Text that tries to become code, and a registry with it in every field that anyone may write."""

from __future__ import annotations

from dataclasses import replace

from nodedata_registry import wire
from nodedata_registry.core.benchmarks import BenchmarkChange
from nodedata_registry.core.diff_values import (
    BumpSummary,
    CardChange,
    Changelog,
    FileChange,
    LicenseDiff,
    RevisionDiff,
    ShownAccepted,
    ShownFinding,
    Side,
)
from nodedata_registry.server.pages.data import FileFigures, RevisionContent
from tests.pages.grasp import DIFF, tensor
from tests.pages.shelf import Shelf, at, make_model, make_revision

ABROAD = "https://abroad.example"

PAYLOADS = (
    "<script>alert(1)</script>",
    "<ScRiPt>alert(2)</sCrIpT>",
    '"><script>alert(3)</script>',
    "'><img src=x onerror=alert(4)>",
    "<img src=x onerror=alert(5)>",
    "<img/src=x/onerror=alert(6)>",
    "<svg onload=alert(7)>",
    "<svg><script>alert(8)</script></svg>",
    "<svg><animate onbegin=alert(9) attributeName=x dur=1s>",
    '<iframe src="javascript:alert(10)"></iframe>',
    "<iframe srcdoc='<script>alert(11)</script>'></iframe>",
    "<object data=javascript:alert(12)></object>",
    "<embed src=javascript:alert(13)>",
    "<body onload=alert(14)>",
    "<details open ontoggle=alert(15)>",
    "<video><source onerror=alert(16)></video>",
    "<input autofocus onfocus=alert(17)>",
    "<marquee onstart=alert(18)>",
    "<math><mtext><script>alert(19)</script></mtext></math>",
    "<form action=javascript:alert(20)><button autofocus>",
    '<a href="javascript:alert(21)" autofocus>x</a>',
    "[x](javascript:alert(22))",
    "[x](JaVaScRiPt:alert(23))",
    "[x](java\tscript:alert(24))",
    "[x](&#106;avascript:alert(25))",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgyNik8L3NjcmlwdD4=)",
    "[x](vbscript:msgbox(27))",
    "![x](javascript:alert(28))",
    f"![x]({ABROAD}/pixel.png)",
    f'<img src="{ABROAD}/pixel.png">',
    f"<link rel=stylesheet href={ABROAD}/x.css>",
    f"<style>@import url({ABROAD}/x.css);</style>",
    f'<p style="background:url({ABROAD}/x.png)">x</p>',
    f'<meta http-equiv=refresh content="0;url={ABROAD}">',
    f"<base href={ABROAD}/>",
    f"![x][r]\n\n[r]: {ABROAD}/ref.png",
    "<https://abroad.example/?\" onmouseover=alert(37)>",
    '[x](https://ok.example "\\" onmouseover=alert(38) autofocus")',
    "`<script>alert(39)</script>`",
    "```\n</code></pre><script>alert(40)</script>\n```",
    "```\" onmouseover=alert(41) x=\"\ncode\n```",
    "| a |\n|---|\n| <script>alert(42)</script> |",
    "<!--><script>alert(43)</script>-->",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(44)>\">",
    "</title><script>alert(45)</script>",
    "</textarea><script>alert(46)</script>",
    "{{ 7 * 7 }}{% raw %}<script>alert(47)</script>",
    "\u202e<script>alert(48)</script>\u2066",
    "\x00<script\x00>alert(49)</script>",
    "＜script＞alert(50)＜/script＞",
    "&lt;script&gt;alert(51)&lt;/script&gt;",
    "<template><script>alert(52)</script></template>",
    "x' onclick='alert(53)' y='",
    "x\" onfocus=alert(54) autofocus tabindex=1 y=\"",
    "<xss style=display:block onpointerover=alert(55) autofocus tabindex=1>x</xss>",
    "<a href=//abroad.example/x ping=//abroad.example/ping autofocus>x</a>",
)  # fmt: skip


def hostile_shelf() -> Shelf:
    """Return a registry with one model per payload, `acme/m0` and so on; the payload is everywhere."""
    shelf = Shelf()
    for number, payload in enumerate(PAYLOADS):
        ref = f"acme/m{number}"
        shelf.put(
            make_model(ref, latest="1.1.0", revision_count=2, title=payload, task=payload, framework=payload,
                       license=payload),
            [_content(ref, "1.0.0", payload), _content(ref, "1.1.0", payload)],
        )  # fmt: skip
        shelf.diffs[ref, "1.0.0", "1.1.0"] = _diff(payload)
    return shelf


def _content(ref: str, version: str, text: str) -> RevisionContent:
    parent = "1.0.0" if version == "1.1.0" else None
    finding = wire.Finding(code="weights_changed", asks="patch", message=text, subject=text)
    base = wire.BaseVerdict(version="1.0.0", declared="minor", asked="patch", findings=[finding])
    shown = make_revision(
        ref,
        version,
        parent=parent,
        title=text,
        task=text,
        framework=text,
        license=text,
        changelog=f"{text}\n{text}",
        schema=_schema(text),
        benchmarks=[
            wire.Benchmark(
                name=text, metric=text, value=1.0, higher_is_better=None, unit=text, n=1, stderr=0.1
            )
        ],
        verdict=wire.Verdict(
            rules=1, asked="patch", bases=[base], accepted=[wire.Accepted(code="x", reason=text)]
        ),
        warnings=[wire.Notice(code="schema_stated", message=text)],
        yanked=wire.Yank(reason=text, at=at(1), suggested=None) if parent is None else None,
        held=wire.Mark(reason=text, at=at(1), by="usr_1"),
    )
    file = wire.File(path=text, size_bytes=1, sha256="0" * 64, format="other", pickled=True)
    return RevisionContent(shown, text, (file,), {text: FileFigures(1, 1, {"format": text, "run": text})})


def _schema(text: str) -> wire.Schema:
    spec = wire.Tensor(name=text, shape=[text, -1], dtype=text, optional=True, names=[text], description=text)
    return wire.Schema(inputs=[spec], outputs=[spec])


def _diff(text: str) -> RevisionDiff:
    finding = ShownFinding("weights_changed", "patch", text, text)
    return replace(
        DIFF,
        a=Side("1.0.0", "a" * 64),
        b=Side("1.1.0", "b" * 64),
        files=replace(DIFF.files, items=(FileChange(text, "renamed", f"old {text}", 1, 2),)),
        parameters=replace(
            DIFF.parameters,
            tensors=(
                replace(tensor(text, 1, (2,)), set=text, dtype=text),
                replace(tensor(text, 1, (2,)), set="other"),
            ),
        ),
        benchmarks=(BenchmarkChange(text, text, 1.0, 2.0, 1.0, 1.0, "improved"),),
        schema=(finding,),
        license=LicenseDiff(text, f"{text} OR MIT"),
        card=(CardChange(text, text, [text, {text: text}]),),
        changelogs=(Changelog("1.1.0", text),),
        bump=BumpSummary("minor", "patch", (finding,), (ShownAccepted("x", text),)),
    )
