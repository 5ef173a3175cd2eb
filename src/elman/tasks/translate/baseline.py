"""What a translator is compared with: copies of the source, and what was translated before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

Ints = NDArray[np.int64]
TOGETHER = 256  # sentences compared at once with all of the training part


def most_similar(known: Sequence[Ints], asked: Sequence[Ints], symbols: int) -> list[int]:
    """For each sentence asked for the number of the most similar known one, the first of equals.

    Sentences are ids below `symbols`. Similar is the cosine of tf-idf vectors, with
    log((1 + known) / (1 + those that hold the token)) for idf.
    """
    holds = np.zeros(symbols)
    for ids in known:
        holds[np.unique(ids)] += 1
    idf = np.log((1 + len(known)) / (1 + holds)).astype(np.float32)
    matrix = _vectors(known, idf)
    found: list[int] = []
    for start in range(0, len(asked), TOGETHER):
        queries = _vectors(asked[start : start + TOGETHER], idf).to_dense()
        found += (matrix @ queries.T).argmax(0).tolist()
    return found


def _vectors(sentences: Sequence[Ints], idf: NDArray[np.float32]) -> torch.Tensor:
    """Sparse rows of length 1 [sentences, symbols]; of what has no idf at all, of length 0."""
    rows, columns, values = [], [], []
    for k, ids in enumerate(sentences):
        ids, counts = np.unique(ids, return_counts=True)
        row = counts * idf[ids]
        rows.append(np.full(len(ids), k))
        columns.append(ids)
        values.append(row / max(float(np.linalg.norm(row)), 1e-9))
    places = torch.from_numpy(np.stack([np.concatenate(rows), np.concatenate(columns)]))
    size = (len(sentences), len(idf))
    return torch.sparse_coo_tensor(
        places, torch.from_numpy(np.concatenate(values).astype(np.float32)), size,
        is_coalesced=True, check_invariants=False,
    )  # fmt: skip


def unigram_nats(known: Sequence[Ints], asked: Sequence[Ints], symbols: int) -> float:
    """The mean nats of a token, by how often each comes in the known sentences, plus one."""
    counts = np.bincount(np.concatenate(known), minlength=symbols) + 1.0
    return float(-np.log(counts / counts.sum())[np.concatenate(asked)].mean())
