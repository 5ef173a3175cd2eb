"""Waveforms in, what a network can hear of them out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np
import torch
from numpy.typing import NDArray

from elman.data.sound.mono import of_samples
from elman.errors import UserError
from elman.estimators.parameters import Parameters
from elman.estimators.sequences import rows_of
from elman.layers.sound import LogMel, levelled
from elman.tasks.speech.reading import NARROW, WIDE

if TYPE_CHECKING:
    from sklearn.utils import Tags

# Of each parameter: what it is, its least and its most; those of `elman train speech`.
RANGES: Final[dict[str, tuple[type, int, int]]] = {
    "rate": (Integral, 4_000, 48_000),
    "mels": (Integral, 8, 256),
    "window": (Real, 5, 200),
    "hop": (Real, 1, 100),
}


@final
@dataclass(eq=False)
class Spectrum(Parameters):
    """Waveforms → mel spectra, measured by the level of each clip, as `elman train speech` hears.

    >>> hear = Spectrum(rate=8_000)
    >>> [x.shape for x in hear.transform([np.zeros(8_000), np.zeros(4_000)])]
    [(98, 40), (48, 40)]

    It learns nothing: `make_pipeline(Spectrum(rate=8_000), SequenceClassifier())` learns of sound.

    `rate` is that of all waveforms, samples a second. `mels` are the bands, 40 up to 8,000 samples
    a second, else 80; `window` and `hop` are milliseconds of a frame and between frames.
    """

    rate: int = 16_000
    mels: int | None = None
    window: float = 25.0
    hop: float = 10.0

    def fit(self, X: Iterable[Any], y: object = None) -> Spectrum:
        """Only check the parameters. UserError: one out of range."""
        self._features()
        return self

    def transform(self, X: Iterable[Any]) -> list[NDArray[np.float32]]:
        """Waveforms, each [S] or [S, channels], as fractions of the loudest or int16 → [T, mels].

        UserError: a parameter out of range; a waveform that is none, or not finite.
        """
        features = self._features()
        return [self._heard(features, k, row) for k, row in enumerate(rows_of(X))]

    def fit_transform(self, X: Iterable[Any], y: object = None) -> list[NDArray[np.float32]]:
        """`transform`."""
        return self.transform(X)

    def __sklearn_tags__(self) -> Tags:
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=[]),
            classifier_tags=None,
            regressor_tags=None,
            input_tags=InputTags(three_d_array=True),
            requires_fit=False,
        )

    def _features(self) -> LogMel:
        for name, (kind, low, high) in RANGES.items():
            value = getattr(self, name)
            if value is None and name == "mels":
                continue
            right = isinstance(value, kind)
            if not (right and low <= value <= high):
                needed = "a whole number" if kind is Integral else "a number"
                raise UserError(f"{name}={value!r}: needs {needed} from {low:,} to {high:,}")
        mels = self.mels or (NARROW if self.rate <= 8_000 else WIDE)
        return LogMel(int(self.rate), mels, self.window / 1000, self.hop / 1000)

    @torch.no_grad()
    def _heard(self, features: LogMel, k: int, row: Any) -> NDArray[np.float32]:
        try:
            wave = torch.from_numpy(of_samples(row, features.rate, features.rate))
        except UserError as error:
            raise UserError(f"X[{k}]: {str(error).removeprefix('the samples: ')}") from None
        x = levelled(*features(wave[None], torch.tensor([len(wave)])))
        heard: NDArray[np.float32] = x[0].numpy()
        return heard
