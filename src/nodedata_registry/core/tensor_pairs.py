"""Which tensor of one revision is which of another, and which of them must be read to know what changed.

    key        weight set + tensor name; shards of one set are one set
    sets       pair by name; what is left pairs by equal files, and then if exactly one on each side is left
    untouched  same key, dtype, shape and content (digest, or the same bytes of an equal file)
    must read  same key, dtype and shape, other or unknown content
    renamed    removed here and added there with equal content, in the same set first

Linear in the number of tensors.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from nodedata_registry.core.facts import RevisionFacts
from nodedata_registry.core.layouts.table import Tensor
from nodedata_registry.core.weight_sets import set_of


@dataclass(frozen=True, slots=True)
class Held:
    """A tensor in its revision: `path` is the file that holds its bytes.

    `content` is equal for equal content where that is known without reading; `storage` is equal for tensors
    that share their bytes.
    """

    tensor: Tensor
    path: str
    content: Hashable
    storage: Hashable


@dataclass(frozen=True, slots=True)
class TensorPair:
    """A tensor that both revisions have, under `set` and `name` (b's)."""

    set: str
    name: str
    a: Held
    b: Held

    @property
    def key(self) -> tuple[str, str]:
        """Set and name: unique among the pairs of two revisions."""
        return self.set, self.name

    @property
    def comparable(self) -> bool:
        """Whether dtype and shape are the same on both sides."""
        return self.a.tensor.dtype == self.b.tensor.dtype and self.a.tensor.shape == self.b.tensor.shape

    @property
    def must_read(self) -> bool:
        """Whether only the bytes can tell which scalars were touched."""
        return self.comparable and self.b.tensor.elements > 0 and self.a.content != self.b.content


@dataclass(slots=True)
class SetPairing:
    """The tensors of one weight set on both sides; `a` and `b` hold all of them, by name."""

    name: str
    a: Mapping[str, Held] = field(default_factory=dict)
    b: Mapping[str, Held] = field(default_factory=dict)
    pairs: list[TensorPair] = field(default_factory=list)
    added: dict[str, Held] = field(default_factory=dict)
    removed: dict[str, Held] = field(default_factory=dict)
    renamed: dict[str, Held] = field(default_factory=dict)


def pairs(a: RevisionFacts, b: RevisionFacts) -> tuple[TensorPair, ...]:
    """Return the pairs that must be read: same key, dtype and shape, content that may differ."""
    return tuple(pair for item in pair_sets(a, b) for pair in item.pairs if pair.must_read)


def pair_sets(a: RevisionFacts, b: RevisionFacts) -> tuple[SetPairing, ...]:
    """Return every weight set of both sides with its tensors sorted out, sets of b first."""
    sets_a, sets_b = _sets(a), _sets(b)
    partners = dict(_partners(sets_a, sets_b))
    found = [_pair_set(name, sets_a.get(partners.get(name, "")), held) for name, held in sets_b.items()]
    taken = set(partners.values())
    found += [_pair_set(name, held, None) for name, held in sets_a.items() if name not in taken]
    _find_renamed(found)
    return tuple(found)


def _sets(facts: RevisionFacts) -> dict[str, dict[str, Held]]:
    digests = {file.path: file.sha256 for file in facts.files}
    sets: dict[str, dict[str, Held]] = {}
    for file in facts.files:
        if not file.tensors:
            continue
        held = sets.setdefault(set_of(file.path), {})
        for index, tensor in enumerate(file.tensors):
            path = tensor.stored_in(file.path)
            content = _content(tensor, digests.get(path, ""))
            storage = (path, tensor.spans) if tensor.spans else (file.path, index)
            # Two shards may name one tensor; the second keeps apart by its file.
            name = tensor.name if tensor.name not in held else f"{file.path}:{tensor.name}"
            held[name] = Held(tensor, path, content, storage)
    return sets


def _content(tensor: Tensor, file_sha256: str) -> Hashable:
    if not tensor.spans:
        return "empty"
    return tensor.digest if tensor.digest is not None else (file_sha256, tensor.spans, tensor.encoding)


def _partners(
    a: Mapping[str, Mapping[str, Held]], b: Mapping[str, Mapping[str, Held]]
) -> Iterator[tuple[str, str]]:
    """Yield (b's name, a's name) of the sets that are one."""
    yield from ((name, name) for name in b if name in a)
    left_a = {name: _signature(held) for name, held in a.items() if name not in b}
    left_b = {name: _signature(held) for name, held in b.items() if name not in a}
    by_content: dict[Hashable, list[str]] = defaultdict(list)
    for name, signature in left_a.items():
        by_content[signature].append(name)
    for name, signature in list(left_b.items()):
        if by_content[signature]:
            partner = by_content[signature].pop(0)
            del left_a[partner], left_b[name]
            yield name, partner
    if len(left_a) == len(left_b) == 1:
        yield next(iter(left_b)), next(iter(left_a))


def _signature(held: Mapping[str, Held]) -> Hashable:
    return frozenset((name, item.content) for name, item in held.items())


def _pair_set(name: str, a: Mapping[str, Held] | None, b: Mapping[str, Held] | None) -> SetPairing:
    before, after = a or {}, b or {}
    return SetPairing(
        name,
        before,
        after,
        [TensorPair(name, key, before[key], held) for key, held in after.items() if key in before],
        {key: held for key, held in after.items() if key not in before},
        {key: held for key, held in before.items() if key not in after},
    )


def _find_renamed(sets: Iterable[SetPairing]) -> None:
    """Move added and removed tensors of equal content to `renamed`, within a set first, then across."""
    sets = list(sets)
    for item in sets:
        _match([item], [item])
    _match(sets, sets)


def _match(sources: Iterable[SetPairing], targets: Iterable[SetPairing]) -> None:
    gone: dict[Hashable, list[tuple[SetPairing, str]]] = defaultdict(list)
    for source in sources:
        for name, held in source.removed.items():
            gone[_identity(held)].append((source, name))
    for target in targets:
        for name, held in list(target.added.items()):
            candidates = gone.get(_identity(held))
            if candidates:
                source, old_name = candidates.pop(0)
                del source.removed[old_name]
                target.renamed[name] = target.added.pop(name)


def _identity(held: Held) -> Hashable:
    return held.content, held.tensor.dtype, held.tensor.shape
