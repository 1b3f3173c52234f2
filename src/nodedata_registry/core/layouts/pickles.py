"""Files that may hold pickles: flagged, never unpickled.

Reading tensor tables of these formats without running anything is a later matter; this module only
says whether a file can run code when somebody loads it. Sources: Python's pickle protocol (PROTO
opcode 0x80 and the protocol's number), PyTorch's zip files, NumPy's format 1.0-3.0.
"""

from __future__ import annotations

from nodedata_registry.core.layouts.source import Source
from nodedata_registry.core.layouts.table import Layout

SUFFIXES = (".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib")

_ZIP = b"PK\x03\x04"
_NUMPY = b"\x93NUMPY"
_HEAD_BYTES = 4096


def read(source: Source) -> Layout:
    """Return a layout without tensors that says whether the bytes look like a pickle."""
    head = source.read(0, min(_HEAD_BYTES, source.size_bytes))
    return Layout("pickle", pickled=holds_pickle(head))


def holds_pickle(head: bytes) -> bool:
    r"""Return whether a file that begins with `head` is a pickle or may carry one.

    A zip counts (PyTorch and `.npz` files are zips, and their members are not read here); a `.npy` counts
    where its dtype has objects.

    >>> holds_pickle(b"\x80\x04\x95"), holds_pickle(b"plain")
    (True, False)
    """
    if head.startswith(_NUMPY):
        return b"|O" in head or b"'O'" in head
    return head.startswith(_ZIP) or (len(head) > 1 and head[0] == 0x80 and 2 <= head[1] <= 5)
