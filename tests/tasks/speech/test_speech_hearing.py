"""Hearing as one speaks: pieces change nothing, and what was kept goes on as if never stopped."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tones
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

import elman
from elman.data.texts import vocabulary as vocabularies
from elman.errors import UserError
from elman.search.ctc import Spoken, greedy, joined
from elman.tasks.speech import predict
from elman.tasks.speech.data import Encoder, Hearing
from elman.tasks.speech.decoding import SpeechDecoding
from elman.tasks.speech.hearing import Listener, heard, looks_ahead
from elman.tasks.speech.model import Recogniser
from elman.tasks.speech.options import SpeechOptions
from elman.tasks.speech.scores import transcribing
from elman.tasks.speech.writing import Transcribing

Floats = NDArray[np.float32]

SEARCHED = SpeechDecoding(beam=4, language_model=Path("transcripts"))


def network(draw: np.random.Generator, **changed: Any) -> Recogniser:
    """A network that never looks ahead, with weights drawn, of random shape; and its encoder."""
    deltas = bool(draw.integers(2))
    hearing = Hearing(4_000, int(draw.integers(8, 14)), 25, 10, deltas, "training")
    encoder = Encoder(hearing, (), vocabularies.build("characters", ["abc abc "]))
    widths = tuple(int(w) for w in draw.integers(2, 6, 2))
    options: dict[str, Any] = {
        "hidden_size": (int(draw.integers(2, 9)),), "num_layers": 1, "bidirectional": (False,),
        "cell": (str(draw.choice(["lstm", "gru", "rnn"])),), "convolutions": (5, 4),
        "convolution_width": widths, "convolution_stride": (2, int(draw.integers(1, 3))),
        "causal": True, "dropout": 0.0, "weight_drop": 0.0,
        "averages": [None, (0,), (1,), (2, 40), (4, 12, 96)][draw.integers(5)],
        "band_convolutions": [None, (2,)][draw.integers(2)],
    }  # fmt: skip
    torch.manual_seed(int(draw.integers(1000)))
    model = Recogniser(SpeechOptions(**options | changed), encoder).eval()
    with torch.no_grad():
        model.output.weight.mul_(8)  # so that something is said
    model.transcripts = ("abc ab", "cab a b", "b c a")
    return model


def writing(model: Recogniser, decoding: SpeechDecoding) -> Transcribing:
    encoder = Encoder(model.hearing, (), vocabularies.build("characters", ["abc abc "]))
    return transcribing(model, encoder, decoding)


def noise(draw: np.random.Generator, most: float = 3.0) -> Floats:
    count = int(draw.uniform(0, most) * 4_000)
    swell = np.sin(np.arange(count) / draw.uniform(50, 500)) ** 2
    return (swell * draw.normal(0, 0.3, count)).astype(np.float32)


def cut(wave: Floats, draw: np.random.Generator, pieces: int) -> list[Floats]:
    """In pieces of any length, none and one sample among them."""
    places = np.sort(draw.integers(0, len(wave) + 1, pieces))
    made = np.split(wave, places)
    if len(wave) > 2:
        made = [*made[:1], *np.split(np.concatenate(made[1:]), [0, 1]), made[0][:0]]
    assert np.array_equal(np.concatenate(made), wave)
    return made


def told(listener: Listener, pieces: Sequence[Floats]) -> list[Spoken]:
    return [listener.hear(piece) for piece in pieces]


def together(parts: Sequence[Spoken]) -> Spoken:
    whole = parts[0]
    for part in parts[1:]:
        whole = joined(whole, part)
    return whole


@pytest.mark.parametrize("decoding", [SpeechDecoding(), SEARCHED], ids=["greedy", "beam"])
@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1))
def test_pieces_change_nothing_to_the_bit(decoding: SpeechDecoding, seed: int) -> None:
    draw = np.random.default_rng(seed)
    model, wave = network(draw), noise(draw)
    write = writing(model, decoding)
    whole = Listener(model, write)
    once = together([whole.hear(wave), whole.end()])
    listener = Listener(model, write)
    parts = told(listener, cut(wave, draw, int(draw.integers(1, 9))))
    assert together([*parts, listener.end()]) == once
    assert write.transcript(once) == heard(model, write, cut(wave, draw, 3))


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_heard_is_what_the_network_says_of_the_whole(seed: int) -> None:
    patch = pytest.MonkeyPatch()
    draw = np.random.default_rng(seed)
    model, wave = network(draw), noise(draw)
    listener = Listener(model, writing(model, SpeechDecoding()))
    rows: list[Any] = []
    feed = listener._search.feed

    def overheard(log_p: Any) -> None:
        rows.append(log_p)
        feed(log_p)

    patch.setattr(listener._search, "feed", overheard)
    parts = told(listener, cut(wave, draw, 4))
    spoken = together([*parts, listener.end()])
    with torch.no_grad():
        log_p, _ = model(torch.from_numpy(wave)[None], torch.tensor([len(wave)]))
    np.testing.assert_allclose(np.concatenate(rows), log_p[0].numpy(), atol=2e-4)
    best = greedy(np.concatenate(rows))
    assert (spoken.symbols, spoken.frames, spoken.stops) == (
        best.symbols, best.frames, best.stops
    )  # fmt: skip
    assert spoken.confidences == best.confidences
    assert spoken.log_p == pytest.approx(best.log_p)


@pytest.mark.parametrize("decoding", [SpeechDecoding(), SEARCHED], ids=["greedy", "beam"])
@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_state_that_was_kept_goes_on_to_the_bit(decoding: SpeechDecoding, seed: int) -> None:
    draw = np.random.default_rng(seed)
    model, wave = network(draw), noise(draw, 6)
    write = writing(model, decoding)
    pieces = cut(wave, draw, 6)
    alone = Listener(model, write)
    expected = [*told(alone, pieces), alone.end()]
    listener, found = Listener(model, write), []
    for piece in pieces:
        listener = Listener.resumed(model, write, listener.tensors())
        found.append(listener.hear(piece))
    listener = Listener.resumed(model, write, listener.tensors())
    assert [*found, listener.end()] == expected


def test_text_that_is_gone_on_with_has_its_spaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spaces = 0
    for seed in range(8):
        draw = np.random.default_rng(seed)
        model, wave = network(draw), noise(draw, 6)
        data = np.round(wave * 32767).astype("<i2").tobytes() + bytes(2_000)

        def text(piece: bytes, model: Recogniser = model, **how: Any) -> str:
            out, stdin = io.StringIO(), SimpleNamespace(buffer=io.BytesIO(piece))
            monkeypatch.setattr("sys.stdin", stdin)
            predict._listen(model, writing(model, SpeechDecoding(raw_rate=4_000, **how)), out)
            return out.getvalue()

        whole, state = text(data), tmp_path / str(seed)
        cuts = np.linspace(0, len(data) // 2, 9).astype(int) * 2
        found = [
            text(data[a:b], state=state if a else None, save_state=state)
            for a, b in itertools.pairwise(cuts.tolist())
        ]
        assert "".join(found) + text(bytes(2), state=state) == text(data + bytes(2))
        spaces += sum(piece.startswith(" ") for piece in found)
        assert whole.endswith("\n")
    assert spaces > 2


def damaged(tensors: dict[str, Tensor], draw: np.random.Generator) -> dict[str, Tensor]:
    """One thing made otherwise, as a stranger could."""
    made = dict(tensors)
    name = str(draw.choice(sorted(made)))
    way = int(draw.integers(7))
    if way == 0:
        del made[name]
    elif way == 1:
        made["more"] = torch.zeros(2)
    elif way == 2:
        made[name] = made[name].double()
    elif way == 3:
        made[name] = torch.cat([made[name], made[name].new_zeros(400, *made[name].shape[1:])])
    elif way == 4:
        made[name] = torch.full((300,), torch.nan)
    else:
        text = json.loads(made["told"].numpy().tobytes())
        broken(text if way == 5 else text["search"], draw)
        data = json.dumps(text).encode()
        made["told"] = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    return made


def broken(told: dict[str, Any], draw: np.random.Generator) -> None:
    name = str(draw.choice(list(told)))
    worse: list[Any] = [
        None, -1, 10**400, "x", [], [[]], {}, True, float("nan"), [-1], [99], [[99]] * 5,
        [None] * 5, [[9], [-9], [1], [2], [0, 0]], [[0, 0, 0]], [[0, []], -1], [[99, [99]], 1],
        list(range(7)),
    ]  # fmt: skip
    told[name] = worse[int(draw.integers(len(worse)))]


@pytest.mark.parametrize("decoding", [SpeechDecoding(), SEARCHED], ids=["greedy", "beam"])
@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_damaged_state_is_refused_or_goes_on(decoding: SpeechDecoding, seed: int) -> None:
    """Whatever a file holds: one line, or a state that can be gone on with."""
    draw = np.random.default_rng(seed)
    model = network(np.random.default_rng(seed % 3))
    write = writing(model, decoding)
    listener = Listener(model, write)
    listener.hear(noise(draw))
    try:
        resumed = Listener.resumed(model, write, damaged(listener.tensors(), draw))
    except UserError as error:
        assert len(str(error).splitlines()) == 1
        return
    spoken = together([resumed.hear(noise(draw)), resumed.end()])
    write.encoder.text(spoken.symbols)


def test_a_state_of_another_model_or_of_another_search_is_refused() -> None:
    model, other = (network(np.random.default_rng(seed)) for seed in (1, 2))
    kept = Listener(model, writing(model, SpeechDecoding())).tensors()
    with pytest.raises(UserError, match="another model"):
        Listener.resumed(other, writing(other, SpeechDecoding()), kept)
    with pytest.raises(UserError, match="other options"):
        Listener.resumed(model, writing(model, SEARCHED), kept)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"bidirectional": (True,)}, "reads both ways"),
        ({"causal": False}, "look ahead"),
        ({"convolution_width": (2, 3), "convolution_stride": (3, 1)}, "stride"),
    ],
)
def test_looking_ahead_is_refused(changed: dict[str, Any], why: str) -> None:
    model = network(np.random.default_rng(0), **changed)
    assert why in looks_ahead(model)
    with pytest.raises(UserError, match=f"{why}.*--streaming"):
        Listener(model, writing(model, SpeechDecoding()))


def test_what_learnt_letters_hears_them_as_they_come(streaming: Any) -> None:
    run = elman.load(streaming.run)
    assert run.scores["cer"] == 0
    wave = tones.wave("abcab", np.random.default_rng(5))
    assert run.transcribe(wave, tones.RATE).text == "abcab"
