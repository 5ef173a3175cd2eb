"""Sources and targets, side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from elman.data.pairs.roles import PairRoles


@dataclass(frozen=True)
class Pairs:
    """Sources and targets, in order; `where` says of each pair where it came from."""

    sources: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    facts: tuple[str, ...] = ()  # what was guessed, for the user
    roles: PairRoles = field(default_factory=PairRoles)

    def __len__(self) -> int:
        return len(self.sources)

    def append(self, source: str, target: str, where: str) -> None:
        """One more, while they are read."""
        self.sources.append(source)
        self.targets.append(target)
        self.where.append(where)

    def pick(self, numbers: Sequence[int]) -> Pairs:
        """Those of these numbers."""
        return replace(
            self,
            sources=[self.sources[k] for k in numbers],
            targets=[self.targets[k] for k in numbers],
            where=[self.where[k] for k in numbers],
        )

    def contents(self) -> list[bytes]:
        """Of each pair a digest, equal for equal ones."""
        return [_digest(f"{s}\0{t}") for s, t in zip(self.sources, self.targets, strict=True)]

    def digest(self) -> str:
        """Of all pairs together."""
        whole = hashlib.sha256()
        for content in self.contents():
            whole.update(content)
        return whole.hexdigest()


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=16).digest()
