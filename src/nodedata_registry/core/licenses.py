"""Licences of cards: SPDX expressions and Hub ids, made canonical and compared.

    apache-2.0 -> Apache-2.0                     llama3 -> LicenseRef-llama3 (no SPDX licence)
    gpl-3.0+   -> GPL-3.0-or-later               mit or (Apache-2.0) -> MIT OR (Apache-2.0)

SPDX ids come from `packaging.licenses`; Hub ids from the Hub's documentation ("Licenses").
Precedence in expressions: WITH before AND before OR (SPDX 2.3, annex D).
"""

from __future__ import annotations

import difflib
import re

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.licenses._spdx import LICENSES

from nodedata_registry.errors import InvalidCard

MAX_LICENSE_CHARACTERS = 500

# Hub ids that are SPDX licences under another name.
_HUB_ALIASES = {
    "c-uda": "C-UDA-1.0",
    "lgpl-lr": "LGPLLR",
    "odbl": "ODbL-1.0",
    "odc-by": "ODC-By-1.0",
    "pddl": "PDDL-1.0",
}
# Hub ids without an SPDX licence: families without a version, and licences of one publisher.
_HUB_ONLY_IDS = """
    apple-amlr apple-ascl bigcode-openrail-m bigscience-bloom-rail-1.0 bigscience-openrail-m bsd cc
    creativeml-openrail-m deepfloyd-if-license fair-noncommercial-research-license gemma gfdl gpl
    grok2-community h-research intel-research lgpl llama2 llama3 llama3.1 llama3.2 llama3.3 llama4
    openmdw-1.0 openrail openrail++ unknown
"""
_HUB_ONLY = frozenset(_HUB_ONLY_IDS.split())
_FAMILY = re.compile(r"(?P<id>(?:A?GPL|LGPL|GFDL)-\d\.\d)(?:-only(?=\+))?(?P<later>\+?)")
_DEPRECATED = {
    "BSD-2-Clause-FreeBSD": "BSD-2-Clause-Views",
    "BSD-2-Clause-NetBSD": "BSD-2-Clause",
    "bzip2-1.0.5": "bzip2-1.0.6",
    "eCos-2.0": "GPL-2.0-or-later WITH eCos-exception-2.0",
    "GPL-2.0-with-autoconf-exception": "GPL-2.0-only WITH Autoconf-exception-2.0",
    "GPL-2.0-with-bison-exception": "GPL-2.0-or-later WITH Bison-exception-2.2",
    "GPL-2.0-with-classpath-exception": "GPL-2.0-only WITH Classpath-exception-2.0",
    "GPL-2.0-with-font-exception": "GPL-2.0-only WITH Font-exception-2.0",
    "GPL-2.0-with-GCC-exception": "GPL-2.0-or-later WITH GCC-exception-2.0",
    "GPL-3.0-with-autoconf-exception": "GPL-3.0-only WITH Autoconf-exception-3.0",
    "GPL-3.0-with-GCC-exception": "GPL-3.0-only WITH GCC-exception-3.1",
    "StandardML-NJ": "SMLNJ",
    "wxWindows": "LGPL-2.0-or-later WITH WxWindows-exception-3.1",
}
_TOKEN = re.compile(r"[()]|[^\s()]+")
_OPERATORS = frozenset({"AND", "OR", "WITH", "(", ")"})
_NOT_IN_REFS = re.compile(r"[^A-Za-z0-9.]+")


def canonical_license(text: str) -> str:
    """Return a licence as SPDX writes it: canonical case, no deprecated ids, operands as they came.

    >>> canonical_license("apache-2.0"), canonical_license("GPL-3.0+"), canonical_license("Llama3")
    ('Apache-2.0', 'GPL-3.0-or-later', 'LicenseRef-llama3')

    Raises:
        InvalidCard: field `license`; the message names the nearest known licence.
    """
    if len(text) > MAX_LICENSE_CHARACTERS:
        raise InvalidCard(
            f"`license` has {len(text):,} characters; an SPDX expression of at most"
            f" {MAX_LICENSE_CHARACTERS} is taken",
            field="license",
        )
    try:
        known = canonicalize_license_expression(" ".join(map(_from_hub, _TOKEN.findall(text))))
        current = " ".join(map(_not_deprecated, _TOKEN.findall(known)))
        return str(canonicalize_license_expression(current))
    except InvalidLicenseExpression as error:
        raise _unknown(text) from error


def license_ref(name: str) -> str:
    """Return the `LicenseRef-` of a licence that has only a name.

    >>> license_ref("acme research v2")
    'LicenseRef-acme-research-v2'

    Raises:
        InvalidCard: field `license_name`; nothing of the name can stand in a reference.
    """
    reference = _NOT_IN_REFS.sub("-", name.removeprefix("LicenseRef-")).strip("-")
    if not reference:
        raise InvalidCard(
            f"`license_name` is {name!r}, of which nothing can stand in LicenseRef-<name>;"
            " use ASCII letters and digits",
            field="license_name",
        )
    return f"LicenseRef-{reference}"


def same_license(left: str, right: str) -> bool:
    """Return whether two canonical licences grant the same, whatever the order of their operands.

    >>> same_license("MIT OR Apache-2.0", "Apache-2.0 OR MIT")
    True
    """
    return license_key(left) == license_key(right)


def license_key(canonical: str) -> str:
    """Return a text that is equal for two canonical licences exactly when they grant the same.

    >>> license_key("(MIT OR ISC) AND Zlib")
    'and(or(isc,mit),zlib)'
    """
    tokens = _TOKEN.findall(canonical)
    key, _ = _either(tokens, 0)
    return key


def _either(tokens: list[str], position: int) -> tuple[str, int]:
    return _operands(tokens, position, "OR")


def _operands(tokens: list[str], position: int, operator: str) -> tuple[str, int]:
    operands: set[str] = set()
    while True:
        if operator == "OR":
            operand, position = _operands(tokens, position, "AND")
        else:
            operand, position = _operand(tokens, position)
        operands |= _flattened(operand, operator)
        if position >= len(tokens) or tokens[position] != operator:
            break
        position += 1
    if len(operands) == 1:
        return operands.pop(), position
    return f"{operator.lower()}({','.join(sorted(operands))})", position


def _operand(tokens: list[str], position: int) -> tuple[str, int]:
    if tokens[position] == "(":
        inner, position = _either(tokens, position + 1)
        return inner, position + 1
    key = tokens[position].casefold()
    if tokens[position + 1 : position + 2] == ["WITH"]:
        return f"{key} with {tokens[position + 2].casefold()}", position + 3
    return key, position + 1


def _flattened(operand: str, operator: str) -> set[str]:
    """Take `or(a,b)` apart inside an OR, as `(A OR B) OR C` grants what `A OR B OR C` does."""
    prefix = f"{operator.lower()}("
    if not operand.startswith(prefix):
        return {operand}
    parts, depth, part = set(), 0, ""
    for character in operand[len(prefix) : -1]:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.add(part)
            part = ""
        else:
            part += character
    return parts | {part}


def _from_hub(token: str) -> str:
    folded = token.casefold()
    if folded in _HUB_ALIASES:
        return _HUB_ALIASES[folded]
    if folded in _HUB_ONLY:
        return license_ref(folded.replace("++", "-plus-plus"))
    return token


def _not_deprecated(token: str) -> str:
    if token in _DEPRECATED:
        return _DEPRECATED[token]
    family = _FAMILY.fullmatch(token)
    if family is None:
        return token
    return family["id"] + ("-or-later" if family["later"] else "-only")


def _unknown(text: str) -> InvalidCard:
    wrong = next((token for token in _TOKEN.findall(text) if not _is_known(token)), text)
    # "Apache 2.0" is not one unknown word but two words of one known licence.
    if " " in text.strip() and not _OPERATORS & set(text.upper().replace("(", " ( ").split()):
        wrong = text.strip()
    nearest = _nearest(wrong)
    return InvalidCard(
        f"`license` is {text!r}, and {wrong!r} is not a licence that SPDX or the Hub knows; the nearest"
        f" known is {nearest}. Use that, LicenseRef-<name>, or `license: other` with `license_name`",
        field="license",
        details={"nearest": nearest},
    )


def _is_known(token: str) -> bool:
    folded = token.casefold()
    if token.upper() in _OPERATORS or folded.startswith("licenseref-"):
        return True
    return _from_hub(token) != token or folded.removesuffix("+") in LICENSES


def _nearest(text: str) -> str:
    reference = _NOT_IN_REFS.sub("-", text[len("LicenseRef-") :]).strip("-")
    if text.casefold().startswith("licenseref-") and reference:
        return f"LicenseRef-{reference}"
    asked = text.casefold().replace(" ", "-").replace("license-", "").removesuffix("-license")[:100]
    known = [*LICENSES, *_HUB_ONLY, *_HUB_ALIASES]
    # A cutoff of 0 always names one: a poor hint is better than none.
    found = difflib.get_close_matches(asked, sorted(known), n=1, cutoff=0.0)[0]
    return LICENSES[found]["id"] if found in LICENSES else found
