"""The HTTP status of every error code, in one table.

400: cannot be parsed. 401, 403, 404: access (what may not be seen is 404). 409: refused in the
present state. 410, 451: was there. 413, 429, 507: a documented limit. 422: parsed, judged by its
content, and refused. 5xx: not the caller's fault.
"""

from __future__ import annotations

from nodedata_registry.errors import NodeDataError

STATUS: dict[str, int] = {
    # what was passed can never be accepted
    "invalid_input": 400,
    "invalid_version": 400,
    "invalid_selector": 400,
    "invalid_name": 400,
    "invalid_path": 400,
    "path_outside_root": 400,
    "invalid_reason": 400,
    "invalid_request": 400,
    "method_not_allowed": 405,
    "range_not_satisfiable": 416,
    "invalid_lock": 400,
    "invalid_bundle": 422,
    "card_required": 422,
    "invalid_card": 422,
    "invalid_weights": 422,
    "schema_mismatch": 422,
    "schema_contradicted": 422,
    # refused by a rule
    "rule_broken": 409,
    "version_exists": 409,
    "version_not_successor": 409,
    "version_gap": 409,
    "version_too_low": 422,
    "nothing_changed": 409,
    "invalid_parent": 409,
    "name_taken": 409,
    "preview_changed": 409,
    "confirmation_required": 409,
    "not_allowed": 409,
    "dest_not_empty": 409,
    "lock_outdated": 409,
    "other_registry": 409,
    "too_young": 409,
    "signature_refused": 409,
    # does not exist for this caller
    "not_found": 404,
    "model_not_found": 404,
    "revision_not_found": 404,
    "workspace_not_found": 404,
    "account_not_found": 404,
    "key_not_found": 404,
    "upload_not_found": 404,
    "file_not_found": 404,
    "block_not_found": 404,
    # exists, and is not served
    "gone": 410,
    "revision_retired": 410,
    "revision_quarantined": 451,
    "revision_yanked": 409,
    # access
    "access_refused": 403,
    "not_authenticated": 401,
    "scope_missing": 403,
    # moving bytes
    "transfer_failed": 400,
    "digest_mismatch": 400,
    "blocks_missing": 409,
    "upload_expired": 409,
    "request_timeout": 408,
    # limits
    "limit_reached": 429,
    "too_large": 413,
    "rate_limited": 429,
    "insufficient_storage": 507,
    # may work later
    "unavailable": 503,
    "registry_unreachable": 503,
    "not_in_cache": 503,
    "internal_error": 500,
    # a process that cannot start never answers; listed so that the table has every code
    "cannot_start": 503,
    "port_in_use": 503,
    "data_folder_in_use": 503,
    "data_folder_not_writable": 503,
    "catalog_too_new": 503,
    "extra_missing": 503,
}


def status_of(error: NodeDataError) -> int:
    """Return the HTTP status under which the error is answered; 500 for a code without one."""
    return STATUS.get(error.code, 500)
