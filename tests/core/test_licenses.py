from __future__ import annotations

import pytest

from nodedata_registry.core.licenses import canonical_license, license_ref, same_license
from nodedata_registry.errors import InvalidCard


@pytest.mark.parametrize(
    ("stated", "canonical"),
    [
        ("apache-2.0", "Apache-2.0"),
        ("APACHE-2.0", "Apache-2.0"),
        ("mit", "MIT"),
        ("CC-BY-4.0", "CC-BY-4.0"),
        ("cc-by-nc-sa-4.0", "CC-BY-NC-SA-4.0"),
        ("mit or apache-2.0", "MIT OR Apache-2.0"),
        ("GPL-2.0 with Classpath-exception-2.0", "GPL-2.0-only WITH Classpath-exception-2.0"),
        ("LicenseRef-unstated", "LicenseRef-unstated"),
        ("licenseref-Acme.1", "LicenseRef-Acme.1"),
    ],
)
def test_an_spdx_expression_is_accepted_in_any_case(stated: str, canonical: str) -> None:
    assert canonical_license(stated) == canonical


@pytest.mark.parametrize(
    ("stated", "canonical"),
    [
        ("llama3", "LicenseRef-llama3"),
        ("Llama3.1", "LicenseRef-llama3.1"),
        ("GEMMA", "LicenseRef-gemma"),
        ("openrail", "LicenseRef-openrail"),
        ("openrail++", "LicenseRef-openrail-plus-plus"),
        ("odbl", "ODbL-1.0"),
        ("unknown", "LicenseRef-unknown"),
        ("llama3 OR mit", "LicenseRef-llama3 OR MIT"),
    ],
)
def test_a_hub_id_is_accepted_in_any_case(stated: str, canonical: str) -> None:
    assert canonical_license(stated) == canonical


@pytest.mark.parametrize(
    ("deprecated", "current"),
    [
        ("GPL-3.0", "GPL-3.0-only"),
        ("gpl-3.0+", "GPL-3.0-or-later"),
        ("LGPL-2.1", "LGPL-2.1-only"),
        ("AGPL-3.0", "AGPL-3.0-only"),
        ("GPL-2.0-with-classpath-exception", "GPL-2.0-only WITH Classpath-exception-2.0"),
        ("BSD-2-Clause-FreeBSD", "BSD-2-Clause-Views"),
    ],
)
def test_a_deprecated_id_becomes_the_current_one(deprecated: str, current: str) -> None:
    assert canonical_license(deprecated) == current


@pytest.mark.parametrize(
    ("stated", "nearest"),
    [
        ("LicenseRef-foo_bar", "LicenseRef-foo-bar"),
        ("licenseref-acme v2", "LicenseRef-acme-v2"),
        ("Apache 2.0", "Apache-2.0"),
        ("Apache License 2.0", "Apache-2.0"),
        ("apache2", "Apache-2.0"),
        ("MIT License", "MIT"),
        ("mti", "MIT"),
        ("llama 3", "llama3"),
        ("MIT OR Aapche-2.0", "Apache-2.0"),
    ],
)
def test_an_unknown_licence_is_refused_with_the_nearest_known(stated: str, nearest: str) -> None:
    with pytest.raises(InvalidCard, match=nearest) as caught:
        canonical_license(stated)
    assert caught.value.field == "license"
    assert caught.value.details["nearest"] == nearest


@pytest.mark.parametrize(
    "stated",
    [
        "(MIT",
        "MIT OR",
        "MIT MIT",
        "AND",
        "()",
        "MIT WITH MIT",
        "LicenseRef-",
        "MIT\0",
        "(" * 400,
        "x" * 100_000,
    ],
)
def test_a_malformed_expression_is_refused(stated: str) -> None:
    with pytest.raises(InvalidCard) as caught:
        canonical_license(stated)
    assert caught.value.field == "license"


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("MIT OR Apache-2.0", "Apache-2.0 OR MIT"),
        ("MIT AND (ISC OR Zlib)", "(Zlib OR ISC) AND MIT"),
        ("MIT OR ISC OR Zlib", "Zlib OR (MIT OR ISC)"),
        ("MIT", "(MIT)"),
        ("LicenseRef-Acme", "LicenseRef-ACME"),
        ("MIT OR ISC AND Zlib", "(Zlib AND ISC) OR MIT"),
    ],
)
def test_licences_that_grant_the_same_are_the_same(left: str, right: str) -> None:
    assert same_license(left, right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("MIT OR ISC", "MIT AND ISC"),
        ("MIT OR ISC AND Zlib", "(MIT OR ISC) AND Zlib"),
        ("GPL-2.0-only", "GPL-2.0-or-later"),
        ("GPL-2.0-only", "GPL-2.0-only WITH Classpath-exception-2.0"),
        ("LicenseRef-a", "LicenseRef-b"),
    ],
)
def test_licences_that_grant_other_things_differ(left: str, right: str) -> None:
    assert not same_license(left, right)


def test_a_named_licence_becomes_a_reference() -> None:
    assert license_ref("Acme Research (v2)") == "LicenseRef-Acme-Research-v2"


def test_a_name_of_which_nothing_can_stand_is_refused() -> None:
    with pytest.raises(InvalidCard, match="license_name"):
        license_ref("許諾")
