"""Models as the tutorials build them, in Keras 2 or 3, with random weights and inputs for each.

`MODELS` names them. Each takes Keras itself, as the same lines build the model in either version,
and a generator of numbers; it gives the model and its inputs.

KERAS_BACKEND=torch python keras_models.py FOLDER SEED .keras .h5 .weights.h5
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

Arrays: TypeAlias = list[Any]
Builder: TypeAlias = Callable[[Any, np.random.Generator], tuple[Any, Arrays]]


def ids(rng: np.random.Generator, symbols: int, *shape: int) -> Any:
    return rng.integers(0, symbols, shape)


def padded(rng: np.random.Generator, symbols: int, *shape: int) -> Any:
    """Ids of which some are 0: before, behind and between, and once all of a sequence."""
    found = rng.integers(1, symbols, shape)
    found[0, : shape[1] // 2] = 0
    found[1, shape[1] // 2 :] = 0
    found[2] = 0
    found[3, rng.random(shape[1]) < 0.5] = 0
    return found


def numbers(rng: np.random.Generator, *shape: int) -> Any:
    return rng.normal(size=shape).astype(np.float32)


def characters_one_hot(k: Any, rng: np.random.Generator) -> tuple[Any, Arrays]:
    """Three SimpleRNN over one-hot characters, which write text."""
    L = k.layers
    model = k.Sequential([
        L.Input((None, 19)), L.SimpleRNN(12, return_sequences=True),
        L.SimpleRNN(12, return_sequences=True), L.SimpleRNN(12),
        L.Dense(19, activation="softmax"),
    ])  # fmt: skip
    return model, [np.eye(19, dtype=np.float32)[ids(rng, 19, 5, 11)]]


def characters_lstm(k: Any, rng: np.random.Generator) -> tuple[Any, Arrays]:
    """Character LSTM with an embedding, scored at every step."""
    L = k.layers
    model = k.Sequential([
        L.Input((None,)), L.Embedding(23, 6), L.LSTM(13, return_sequences=True), L.Dropout(0.3),
        L.LSTM(9, return_sequences=True), L.Dense(23),
    ])  # fmt: skip
    return model, [ids(rng, 23, 4, 17)]


def words_both_ways(k: Any, rng: np.random.Generator) -> tuple[Any, Arrays]:
    """Word-level SimpleRNN, then a GRU that reads both ways."""
    L = k.layers
    model = k.Sequential([
        L.Input((10,)), L.Embedding(40, 7), L.SimpleRNN(11, return_sequences=True),
        L.Bidirectional(L.GRU(5)), L.Dense(40, activation="softmax"),
    ])  # fmt: skip
    return model, [ids(rng, 40, 6, 10)]


def digits_by_rows(k: Any, rng: np.random.Generator) -> tuple[Any, Arrays]:
    """Handwritten digits, a row of pixels a step."""
    L = k.layers
    model = k.Sequential([L.Input((28, 28)), L.LSTM(20), L.Dense(10, activation="softmax")])
    return model, [rng.random((5, 28, 28)).astype(np.float32)]


def translator_by_state(k: Any, rng: np.random.Generator) -> tuple[Any, Arrays]:
    """Encoder and decoder that hands over the state: two inputs, joined by initial_state."""
    L = k.layers
    source, target = L.Input((None,)), L.Input((None,))
    _, h, c = L.LSTM(8, return_state=True)(L.Embedding(15, 6)(source))
    decoder = L.LSTM(8, return_sequences=True, return_state=True)
    y, *_ = decoder(L.Embedding(17, 5)(target), initial_state=[h, c])
    model = k.Model([source, target], L.Dense(17, activation="softmax")(y))
    return model, [ids(rng, 15, 4, 9), ids(rng, 17, 4, 6)]


def translator_by_repetition(k: Any, rng: np.random.Generator) -> tuple[Any, Arrays]:
    """Encoder and decoder that reads the encoder's vector at every step."""
    L = k.layers
    model = k.Sequential([
        L.Input((None, 4)), L.LSTM(7), L.RepeatVector(6), L.LSTM(8, return_sequences=True),
        L.TimeDistributed(L.Dense(5, activation="softmax")),
    ])  # fmt: skip
    return model, [numbers(rng, 3, 9, 4)]


def sentiment(k: Any, rng: np.random.Generator) -> tuple[Any, Arrays]:
    """Padded texts, masked, read both ways, one score for each."""
    L = k.layers
    model = k.Sequential([
        L.Input((None,)), L.Embedding(30, 8, mask_zero=True), L.SpatialDropout1D(0.2),
        L.Bidirectional(L.LSTM(6, dropout=0.1)), L.Dense(4, activation="relu"),
        L.Dense(1, activation="sigmoid"),
    ])  # fmt: skip
    return model, [padded(rng, 30, 6, 12)]


def reset_before(k: Any, rng: np.random.Generator) -> tuple[Any, Arrays]:
    """GRU with the reset before the product, hard_sigmoid, masked numbers."""
    L = k.layers
    x = numbers(rng, 4, 9, 5)
    x[0, 3:5] = 0
    x[1, 6:] = 0
    model = k.Sequential([
        L.Input((None, 5)), L.Masking(), L.GRU(7, reset_after=False, return_sequences=True,
        recurrent_activation="hard_sigmoid"), L.GRU(6, reset_after=False), L.Dense(3),
    ])  # fmt: skip
    return model, [x]


def backwards(k: Any, rng: np.random.Generator) -> tuple[Any, Arrays]:
    """GRU read from the end, without biases, over masked ids; every step put out."""
    L = k.layers
    model = k.Sequential([
        L.Input((None,)), L.Embedding(12, 5, mask_zero=True),
        L.GRU(7, go_backwards=True, use_bias=False, return_sequences=True),
        L.SimpleRNN(4, use_bias=False, activation="relu"),
    ])  # fmt: skip
    return model, [padded(rng, 12, 5, 8)]


def temperatures(k: Any, rng: np.random.Generator) -> tuple[Any, Arrays]:
    """A window of a series, its next value."""
    L = k.layers
    model = k.Sequential([
        L.Input((24, 3)), L.LSTM(9, return_sequences=True), L.Dropout(0.2), L.LSTM(8),
        L.Dense(5, activation="relu"), L.Dense(1),
    ])  # fmt: skip
    return model, [numbers(rng, 5, 24, 3)]


def tagger(k: Any, rng: np.random.Generator) -> tuple[Any, Arrays]:
    """A label for each word of padded sentences."""
    L = k.layers
    model = k.Sequential([
        L.Input((None,)), L.Embedding(25, 6, mask_zero=True),
        L.Bidirectional(L.LSTM(7, return_sequences=True), merge_mode="sum"),
        L.TimeDistributed(L.Dense(5, activation="softmax")),
    ])  # fmt: skip
    return model, [padded(rng, 25, 5, 9)]


def normed(k: Any, rng: np.random.Generator) -> tuple[Any, Arrays]:
    """Norms between layers, other activations, Flatten at the end."""
    L = k.layers
    model = k.Sequential([
        L.Input((6, 4)), L.BatchNormalization(),
        L.LSTM(7, activation="softsign", recurrent_activation="hard_sigmoid",
               return_sequences=True),
        L.LayerNormalization(), L.SimpleRNN(5, activation="elu", return_sequences=True),
        L.Flatten(), L.Dense(8, activation="gelu"), L.LeakyReLU(), L.Reshape((4, 2)),
    ])  # fmt: skip
    return model, [numbers(rng, 3, 6, 4)]


def merged_ways(k: Any, rng: np.random.Generator) -> tuple[Any, Arrays]:
    """Both directions multiplied, then averaged, of a masked sequence."""
    L = k.layers
    x = numbers(rng, 4, 8, 3)
    x[0, 5:] = -1
    x[1, 2] = -1
    model = k.Sequential([
        L.Input((None, 3)), L.Masking(mask_value=-1.0),
        L.Bidirectional(L.GRU(5, return_sequences=True), merge_mode="mul"),
        L.Bidirectional(L.SimpleRNN(6), merge_mode="ave"),
    ])  # fmt: skip
    return model, [x]


def two_branches(k: Any, rng: np.random.Generator) -> tuple[Any, Arrays]:
    """Words and numbers in branches of their own, pooled, side by side; a shared layer."""
    L = k.layers
    words, series = L.Input((None,)), L.Input((None, 4))
    a = L.GlobalAveragePooling1D()(L.LSTM(6, return_sequences=True)(
        L.Embedding(14, 5, mask_zero=True)(words)))  # fmt: skip
    shared = L.GRU(5)
    b, c = shared(series), shared(L.Dense(4)(series))
    y = L.Concatenate()([a, L.Add()([b, c])])
    x = ids(rng, 14, 4, 7)
    x[:, 0] = 1
    return k.Model([words, series], [L.Dense(3)(y), b]), [x, numbers(rng, 4, 9, 4)]


def both_states(k: Any, rng: np.random.Generator) -> tuple[Any, Arrays]:
    """The states of both directions of an encoder begin a decoder that reads both ways."""
    L = k.layers
    source, target = L.Input((None, 3)), L.Input((None, 4))
    _, *states = L.Bidirectional(L.LSTM(5, return_state=True))(source)
    y = L.Bidirectional(L.LSTM(5, return_sequences=True))(target, initial_state=states)
    return k.Model([source, target], y), [numbers(rng, 3, 6, 3), numbers(rng, 3, 8, 4)]


MODELS: dict[str, Builder] = {
    made.__name__: made
    for made in (
        characters_one_hot, characters_lstm, words_both_ways, digits_by_rows, translator_by_state,
        translator_by_repetition, sentiment, reset_before, backwards, temperatures, tagger, normed,
        merged_ways, two_branches, both_states,
    )
}  # fmt: skip


def made(name: str, k: Any, seed: int) -> tuple[Any, Arrays]:
    """A model of `MODELS` with every weight drawn anew, so that no bias is zero."""
    rng = np.random.default_rng(seed)
    model, inputs = MODELS[name](k, rng)
    model.set_weights([drawn(rng, w.name, w.shape) for w in model.weights])
    return model, inputs


def drawn(rng: np.random.Generator, name: str, shape: Any) -> Any:
    """A variance is positive; all else is normal."""
    if "variance" in name:
        return rng.uniform(0.5, 2, shape).astype(np.float32)
    return rng.normal(scale=0.4, size=shape).astype(np.float32)


def stateful(k: Any, rng: np.random.Generator) -> tuple[Any, Arrays]:
    """A layer that keeps its state from call to call."""
    L = k.layers
    inner = {"stateful": True, "return_sequences": True}
    model = k.Sequential([
        k.Input(batch_shape=(3, None, 4)), L.LSTM(6, **inner), L.GRU(5, stateful=True), L.Dense(2)
    ])  # fmt: skip
    return model, [numbers(rng, 3, 7, 4)]


def of_a_class(k: Any, rng: np.random.Generator) -> tuple[Any, Arrays]:
    """A model that is a class, of which weights alone can be saved."""
    L = k.layers

    class Model(k.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.embedding = L.Embedding(11, 5)
            inner = L.GRU(6, return_sequences=True, reset_after=False, dropout=0.1)
            self.rnn = L.Bidirectional(inner)
            self.top = L.SimpleRNN(4)
            self.fc = L.Dense(7)

        def call(self, x: Any) -> Any:
            return self.fc(self.top(self.rnn(self.embedding(x))))

    model, x = Model(), ids(rng, 11, 3, 8)
    model(x)
    model.set_weights([drawn(rng, w.name, w.shape) for w in model.weights])
    return model, [x]


def write(k: Any, folder: Path, seed: int, forms: list[str]) -> None:
    """Every model in each form, with its inputs and outputs beside it as NAME.npz."""
    for name in MODELS:
        model, inputs = made(name, k, seed)
        given = inputs if len(inputs) > 1 else inputs[0]
        outputs = model.predict(given, verbose=0)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        named = {f"x{n}": x for n, x in enumerate(inputs)}
        np.savez(folder / f"{name}.npz", **named, **{f"y{n}": y for n, y in enumerate(outputs)})
        for form in forms:
            if form == ".weights.h5":
                model.save_weights(folder / f"{name}{form}")
                (folder / f"{name}.json").write_text(model.to_json(), encoding="utf-8")
            else:
                model.save(folder / f"{name}{form}")
    model, (x,) = of_a_class(k, np.random.default_rng(seed))
    np.savez(folder / "of_a_class.npz", x0=x, y0=model.predict(x, verbose=0))
    model.save_weights(folder / "of_a_class.weights.h5")
    model, (x,) = stateful(k, np.random.default_rng(seed))
    model.set_weights([drawn(np.random.default_rng(seed), w.name, w.shape) for w in model.weights])
    model.save(folder / "stateful.keras")
    twice = [model.predict(x, verbose=0, batch_size=3) for _ in range(2)]
    np.savez(folder / "stateful.npz", x0=x, y0=twice[0], y1=twice[1])


if __name__ == "__main__":
    import keras

    write(keras, Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
