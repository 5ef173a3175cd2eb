import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from elman.tasks.text.writing import memorisation as module
from elman.tasks.text.writing.memorisation import Memorisation, memorisation


class Text:
    """Ids in memory, read as a token file is."""

    def __init__(self, ids: list[int]) -> None:
        self.ids = np.array(ids, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, start: int, count: int) -> NDArray[np.int64]:
        return self.ids[start : start + count]


def by_hand(generated: list[int], training: list[int], span: int) -> Memorisation:
    """Every window of every length, compared with every window."""
    best = (0, 0, 0)
    covered: set[int] = set()
    for t in range(len(training)):
        for g in range(len(generated)):
            n = 0
            while t + n < len(training) and g + n < len(generated):
                if training[t + n] != generated[g + n]:
                    break
                n += 1
            if n > best[0]:
                best = (n, t, g)
            if n >= span:
                covered.update(range(g, g + n))
    share = len(covered) / len(generated) if generated else 0.0
    return Memorisation(*best, span, share)


few_symbols = st.integers(2, 3).flatmap(
    lambda symbols: st.tuples(
        st.lists(st.integers(0, symbols - 1), max_size=25),
        st.lists(st.integers(0, symbols - 1), max_size=90),
    )
)


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
@settings(max_examples=60)
@given(texts=few_symbols, span=st.integers(1, 9))
def test_it_finds_what_comparing_everything_finds_wherever_chunks_end(
    chunk: int, texts: tuple[list[int], list[int]], span: int
) -> None:
    generated, training = texts
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", chunk)
        patch.setattr(module, "COMPARED", 8)
        found = memorisation(np.array(generated, dtype=np.int64), Text(training), span=span)
    assert found == by_hand(generated, training, span)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.data())
def test_a_planted_copy_is_found_where_it_stands(seed: int, data: st.DataObject) -> None:
    draw = np.random.default_rng(seed)
    training = draw.integers(0, 2**32, 3000)
    length = data.draw(st.integers(1, 200))
    source = data.draw(st.integers(0, 3000 - length))
    before, after = draw.integers(2**32, 2**33, 31), draw.integers(2**32, 2**33, 17)
    generated = np.concatenate([before, training[source : source + length], after])
    found = memorisation(generated, Text(training.tolist()), span=length)
    assert found == Memorisation(length, source, 31, length, length / (48 + length))


def test_equal_hashes_of_different_tokens_are_no_copy() -> None:
    # Thue and Morse's words of 2^11 symbols collide modulo 2^64, whatever the base.
    word = np.array([bin(i).count("1") % 2 for i in range(1 << 11)])
    training, generated = np.append(word, 2), np.append(1 - word, 2)  # not all tokens differ
    found = memorisation(generated, Text(training.tolist()), span=len(training))
    assert found.length < 1 << 11
    assert found.copied_share == 0
