"""Single tensors of a published revision, without its files: only the blocks that hold them move.

    weights = node.models.tensors("acme/x", "^1")
    weights.names, weights.dtypes["encoder.weight"], weights.shapes["encoder.weight"]     # headers only
    weights["encoder.weight"]                                                             # a NumPy array

Weight sets are single files, or shards that belong together; a set's name is the path that it has or
would have as one file. Read are safetensors and ONNX (initialisers and constants). Names, dtypes and
shapes need no NumPy; arrays do (extra `[tensors]`).

| stored as | array |
|---|---|
| `BOOL`, `I8`-`I64`, `U8`-`U64`, `F16`, `F32`, `F64`, `C64`, `C128` | the NumPy dtype |
| `BF16`, `F8_…` | that of `ml_dtypes` if it is installed, else `uint16` or `uint8` with the same bits |
| narrower than a byte (`F4`, `I4`, `U4`, `F6_…`, `I2`, `U2`) | `uint8`, one axis: the packed bytes |
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from nodedata_registry import wire
from nodedata_registry.core.layouts import DTYPE_BITS, Tensor, format_of, reader_for
from nodedata_registry.core.layouts.source import refuse_outside
from nodedata_registry.core.weight_sets import set_of
from nodedata_registry.errors import ExtraMissing, FileNotFoundInRevision, InvalidRequest, InvalidWeights
from nodedata_registry.sdk.locate import Question, Surroundings
from nodedata_registry.sdk.ranges import RevisionFiles
from nodedata_registry.sdk.transport import CONNECTIONS
from nodedata_registry.sdk.workers import for_each

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FORMATS = frozenset({"safetensors", "onnx"})
"""Formats whose headers say where each tensor lies, so that one can be had without the others."""

_PLAIN = {
    "BOOL": "?",
    "I8": "i1",
    "U8": "u1",
    "I16": "<i2",
    "U16": "<u2",
    "I32": "<i4",
    "U32": "<u4",
    "I64": "<i8",
    "U64": "<u8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
    "C64": "<c8",
    "C128": "<c16",
}
_ML_DTYPES = {
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2": "float8_e5m2",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F8_E8M0": "float8_e8m0fnu",
}


class TensorNotFound(InvalidRequest, KeyError):
    """The revision has no tensor of that name."""

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A tensor as its file's header states it.

    `weights` is its weight set, `path` the file that states it, `dtype` a name of safetensors
    (`F32`, `BF16`, …), `size_bytes` what its values take in the file.
    """

    name: str
    weights: str
    path: str
    dtype: str
    shape: tuple[int, ...]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _Stored:
    info: TensorInfo
    tensor: Tensor


class Tensors(Mapping[str, "NDArray[Any]"]):
    """The tensors of a revision by name, each fetched when it is asked for. Safe from many threads.

    A name that more than one weight set has is spelled `<set>:<name>`, and every tensor may be. What
    was fetched stays in the cache, verified; an array is a copy of the caller's own.

    Attributes:
        model, requested, resolved, digest, commit, yanked: as a download's.
        sets: the names of the weight sets.
    """

    def __init__(self, files: RevisionFiles, sets: Mapping[str, tuple[str, ...]]) -> None:
        self._files = files
        self._sets = dict(sets)
        self._lock = threading.Lock()
        self._tables: dict[str, dict[str, _Stored]] | None = None
        self._keys: dict[str, _Stored] | None = None
        self.model: str = files.known.model
        self.requested: str = files.found.requested
        self.resolved: str = files.known.version
        self.digest: str = files.known.digest
        self.commit: str = files.known.commit
        self.yanked: wire.Yank | None = files.known.yanked

    @property
    def sets(self) -> tuple[str, ...]:
        """The names of the weight sets, sorted."""
        return tuple(self._sets)

    def of(self, weights: str) -> Tensors:
        """Return the tensors of one weight set, under their plain names.

        Raises:
            FileNotFoundInRevision: the revision has no such set.
        """
        return Tensors(self._files, _chosen(self._files, self._sets, weights))

    # --- what the headers say ---

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in the order of sets and files."""
        return tuple(self._by_key())

    @property
    def dtypes(self) -> dict[str, str]:
        """The dtype of each tensor as it is stored (`F32`, `BF16`, …), by name."""
        return {key: stored.info.dtype for key, stored in self._by_key().items()}

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each tensor, by name."""
        return {key: stored.info.shape for key, stored in self._by_key().items()}

    def info(self, name: str) -> TensorInfo:
        """Return what the header says of one tensor; raises `TensorNotFound`."""
        return self._find(name).info

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_key())

    def __len__(self) -> int:
        return len(self._by_key())

    def __contains__(self, name: object) -> bool:
        """Return whether there is such a tensor; fetches headers only."""
        return isinstance(name, str) and (name in self._by_key() or self._qualified(name) is not None)

    # Comparing mappings would fetch both of them.
    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"Tensors({self.model}@{self.resolved}, sets={list(self._sets)})"

    # --- values ---

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return a tensor's values; fetches the blocks that hold them, unless the cache has them.

        Raises:
            TensorNotFound: there is none of that name; the message says which are near.
            InvalidRequest: several weight sets have one; or it is stored as varints (small ONNX tensors).
            ExtraMissing: NumPy is not installed.
            Everything that reading a part of a file raises: `NotInCache`, `TransferFailed`, …
        """
        np = _numpy()
        stored = self._find(name)
        return _shaped(np, stored, _dtype(np, stored.info.dtype), self._bytes(stored))

    def bits(self, name: str) -> NDArray[Any]:
        """Return a tensor's stored bits as unsigned integers of its width: `uint16` for BF16.

        What `torch` takes where NumPy has no dtype: `torch.from_numpy(t.bits(n)).view(torch.bfloat16)`.
        Complex tensors give `uint8`, with the bytes of a value as a last axis.
        """
        np = _numpy()
        stored = self._find(name)
        width = DTYPE_BITS[stored.info.dtype] // 8
        if width <= 8:
            return _shaped(np, stored, np.dtype(f"<u{max(width, 1)}"), self._bytes(stored))
        wide: NDArray[Any] = np.frombuffer(self._bytes(stored), "u1").reshape(*stored.info.shape, width)
        return wide

    def _bytes(self, stored: _Stored) -> bytearray:
        tensor = stored.tensor
        if tensor.encoding not in ("raw", "external"):
            raise InvalidRequest(
                f"tensor {tensor.name!r} of {stored.info.path} is stored as {tensor.encoding}, which is not"
                " read in parts; download the file and read it with onnx",
                field="name",
            )
        path = tensor.stored_in(stored.info.path)
        parts = [self._files.read(path, span.offset, span.end) for span in tensor.spans]
        return parts[0] if len(parts) == 1 else bytearray().join(parts)

    # --- tables ---

    def _find(self, name: str) -> _Stored:
        found = self._by_key().get(name) or self._qualified(name)
        if found is not None:
            return found
        spellings = [f"{weights}:{name}" for weights, table in self._by_set().items() if name in table]
        if spellings:
            raise InvalidRequest(
                f"more than one weight set of {self.model} {self.resolved} has a tensor {name!r}:"
                f" ask for {' or '.join(spellings)}",
                field="name",
            )
        near = get_close_matches(name, self._by_key(), n=3)
        raise TensorNotFound(
            f"{self.model} {self.resolved} has no tensor {name!r}"
            + (f"; near it are {', '.join(near)}" if near else f" among its {len(self)}"),
            field="name",
        )

    def _qualified(self, name: str) -> _Stored | None:
        # A path in a revision has no colon.
        weights, _, plain = name.partition(":")
        return self._by_set().get(weights, {}).get(plain)

    def _by_key(self) -> dict[str, _Stored]:
        if self._keys is None:
            tables = self._by_set()
            count: dict[str, int] = defaultdict(int)
            for table in tables.values():
                for name in table:
                    count[name] += 1
            self._keys = {
                (name if count[name] == 1 else f"{weights}:{name}"): stored
                for weights, table in tables.items()
                for name, stored in table.items()
            }
        return self._keys

    def _by_set(self) -> dict[str, dict[str, _Stored]]:
        with self._lock:
            if self._tables is None:
                self._tables = _tables(self._files, self._sets)
            return self._tables


def open_tensors(
    around: Callable[[], Surroundings], question: Question, weights: str | None = None
) -> Tensors:
    """Return the tensors of a revision, or of one weight set; headers are read at their first use.

    Raises:
        InvalidRequest: the revision has no weights of a format that is read.
        FileNotFoundInRevision: `weights` names no set.
        Everything that `locate` raises.
    """
    files = RevisionFiles.open(around, question)
    members: dict[str, list[str]] = defaultdict(list)
    for file in files.plan.files:
        if format_of(file.path) in FORMATS:
            members[set_of(file.path)].append(file.path)
    sets = {name: tuple(sorted(paths)) for name, paths in sorted(members.items())}
    if not sets:
        raise InvalidRequest(
            f"{files.known.model} {files.known.version} has no weights whose tensors can be had one by one"
            f" ({', '.join(sorted(FORMATS))}); download its files instead",
            field="revision",
        )
    return Tensors(files, sets if weights is None else _chosen(files, sets, weights))


def _chosen(
    files: RevisionFiles, sets: Mapping[str, tuple[str, ...]], weights: str
) -> dict[str, tuple[str, ...]]:
    if weights not in sets:
        raise FileNotFoundInRevision(
            f"{files.known.model} {files.known.version} has no weight set {weights!r}; it has:"
            f" {', '.join(sets)}",
            field="weights",
        )
    return {weights: sets[weights]}


class _Remote:
    """One file of the revision as what a header's reader reads."""

    def __init__(self, files: RevisionFiles, path: str) -> None:
        self.size_bytes = files.file(path).size_bytes
        self._files = files
        self._path = path

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`; raises `InvalidWeights` past the end."""
        refuse_outside(self.size_bytes, offset, length)
        return bytes(self._files.read(self._path, offset, offset + length))


def _tables(files: RevisionFiles, sets: Mapping[str, tuple[str, ...]]) -> dict[str, dict[str, _Stored]]:
    """Read the headers of all files, several at a time, and return each set's tensors by name."""
    read: dict[str, tuple[Tensor, ...]] = {}

    def read_header(path: str) -> None:
        reader = reader_for(path).read
        read[path] = reader(_Remote(files, path)).tensors if reader is not None else ()

    for_each([path for paths in sets.values() for path in paths], read_header, CONNECTIONS)
    return {name: _joined(name, {path: read[path] for path in paths}) for name, paths in sets.items()}


def _joined(weights: str, shards: Mapping[str, tuple[Tensor, ...]]) -> dict[str, _Stored]:
    table: dict[str, _Stored] = {}
    for path, tensors in shards.items():
        for tensor in tensors:
            other = table.get(tensor.name)
            if other is not None and len(shards) > 1:
                raise InvalidWeights(
                    f"tensor {tensor.name!r} of the set {weights} is in {other.info.path} and in {path}",
                    details={"file": path, "tensor": tensor.name},
                )
            info = TensorInfo(tensor.name, weights, path, tensor.dtype, tensor.shape, tensor.stored_bytes)
            table.setdefault(tensor.name, _Stored(info, tensor))
    return table


def _numpy() -> Any:
    try:
        import numpy
    except ImportError as error:
        raise ExtraMissing("arrays need NumPy: pip install 'nodedata-registry[tensors]'") from error
    return numpy


def _dtype(np: Any, dtype: str) -> np.dtype[Any]:
    """Return the dtype of an array for a stored dtype; unsigned integers where there is no own one."""
    name = _ML_DTYPES.get(dtype)
    if name is None:
        return np.dtype(_PLAIN.get(dtype, "u1"))  # type: ignore[no-any-return]
    try:
        import ml_dtypes
    except ImportError:
        return np.dtype(f"<u{DTYPE_BITS[dtype] // 8}")  # type: ignore[no-any-return]
    found = getattr(ml_dtypes, name, None)
    return np.dtype(found if found is not None else f"<u{DTYPE_BITS[dtype] // 8}")  # type: ignore[no-any-return]


def _shaped(np: Any, stored: _Stored, dtype: np.dtype[Any], data: bytearray) -> NDArray[Any]:
    packed = DTYPE_BITS[stored.info.dtype] < 8 or DTYPE_BITS[stored.info.dtype] % 8
    shape = (len(data),) if packed else stored.info.shape
    if not data:
        return np.empty(shape, dtype)  # type: ignore[no-any-return]
    # The buffer is this array's own, so it can be written to.
    return np.ndarray(shape, dtype, buffer=data)  # type: ignore[no-any-return]
