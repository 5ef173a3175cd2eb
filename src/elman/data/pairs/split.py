"""A split of pairs that shares no source and no target."""

from __future__ import annotations

from elman.data.pairs.pairs import Pairs


def split(pairs: Pairs, share: float) -> tuple[list[int], list[int]]:
    """The numbers for training and for validation, about `share` of all.

    Pairs with the same source or the same target, and pairs joined through others, are on one side.
    Drawn by the contents, so that the order does not matter.
    """
    if share == 0:
        return list(range(len(pairs))), []
    groups: dict[int, list[int]] = {}
    for k, root in enumerate(_components(pairs)):
        groups.setdefault(root, []).append(k)
    contents = pairs.contents()
    kept, held = list[int](), list[int]()
    wanted = 0.0
    for group in sorted(groups.values(), key=lambda group: min(contents[k] for k in group)):
        wanted += share * len(group)
        (held if len(held) + len(group) / 2 < wanted else kept).extend(group)
    return sorted(kept), sorted(held)


def _components(pairs: Pairs) -> list[int]:
    """Of each pair the number of its group: pairs are joined by sides that are equal."""
    root = list(range(len(pairs)))

    def find(k: int) -> int:
        while root[k] != k:
            root[k] = root[root[k]]
            k = root[k]
        return k

    for side in (pairs.sources, pairs.targets):
        first: dict[str, int] = {}
        for k, text in enumerate(side):
            root[find(k)] = find(first.setdefault(text, k))
    return [find(k) for k in range(len(pairs))]
