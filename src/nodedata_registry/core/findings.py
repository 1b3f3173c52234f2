"""Every finding of the bump rules, with the bump that it asks for: the one table.

The table is public: its codes stand in verdicts, in `accept` and on pages. A finding that a reader
for a further format or file kind makes later takes its code and its severity from here.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from nodedata_registry.core.versions import Bump
from nodedata_registry.errors import InvalidRequest

RULES = 1
"""The number of these rules; a verdict carries it and is never judged again."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference between a base and the candidate, and the bump that it asks for.

    `message` is one sentence with both values. `subject` is the path, tensor or key concerned.
    """

    code: str
    asks: Bump
    message: str
    subject: str | None = None

    @property
    def warns(self) -> bool:
        """Whether the publisher is told even where the declared bump suffices."""
        return self.code in WARNS

    def to_json(self) -> dict[str, str | None]:
        """Return the finding as the wire shows it."""
        asks = self.asks.name.lower()
        return {"code": self.code, "asks": asks, "message": self.message, "subject": self.subject}


_CODES = {
    Bump.MAJOR: """
        license_changed task_changed framework_changed weight_file_removed schema_withdrawn
        input_removed input_renamed input_shape_changed input_dtype_changed input_made_required
        required_input_added inputs_reordered input_names_changed
        output_removed output_renamed output_shape_changed output_dtype_changed output_made_required
        output_made_optional output_added output_axis_freed outputs_reordered output_names_changed
        token_id_changed license_text_changed_under_ref
    """,
    Bump.MINOR: """
        optional_input_added input_made_optional input_axis_freed benchmark_improved
        training_data_changed weight_variant_added weights_retyped architecture_changed
        runtime_raised tokens_added
    """,
    Bump.PATCH: """
        weights_changed weights_resharded processor_changed schema_stated benchmark_regressed
        benchmark_added benchmark_removed benchmark_changed file_added file_removed file_changed
        metadata_changed license_text_changed pickle_added
    """,
}
FINDINGS: Mapping[str, Bump] = MappingProxyType(
    {code: bump for bump, codes in _CODES.items() for code in codes.split()}
)
"""Each code with the bump that it asks for (contract, section 4)."""

WARNS = frozenset(
    {
        "weights_retyped",
        "processor_changed",
        "schema_stated",
        "benchmark_regressed",
        "license_text_changed",
        "pickle_added",
    }
)
"""The codes that are shown as warnings whatever the declared bump."""


def finding(code: str, message: str, subject: str | None = None) -> Finding:
    """Return a finding of a known code, with the bump that the table gives it."""
    return Finding(code, FINDINGS[code], message, subject)


def check_code(code: str) -> None:
    """Check that a code which an owner wants to accept is one of the table.

    Raises:
        InvalidRequest: field `accept`; the message names the nearest known code.
    """
    if code not in FINDINGS:
        nearest = difflib.get_close_matches(code[:100], sorted(FINDINGS), n=1, cutoff=0.0)[0]
        raise InvalidRequest(
            f"`accept` names {code[:100]!r}, which is no finding of the rules; the nearest is {nearest}",
            field="accept",
        )
