"""What may come at each step ahead as a distribution, whose likelihood is learnt.

After DeepAR (Salinas et al. 2017, arXiv:1704.04110). A network gives each step the parameters of
one of four: `normal` and `student` of scaled values; `negative-binomial` of counts and `tweedie` of
amounts that are often 0, both in the units of the data.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist
from typing import ClassVar, TypeAlias, final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float64]
Drawn: TypeAlias = Callable[[np.random.Generator, int], Floats]

LEAST = 1e-3  # of a scaled deviation, or of a dispersion
HEAVIEST = 3.0  # degrees of freedom, so that the deviation is finite
DRAWS = 400  # values drawn where a distribution has no quantiles in closed form


class Distribution(ABC):
    """One kind. Its D parameters [..., D] come from a network, unbounded."""

    size: ClassVar[int]  # D
    counts: ClassVar[bool]  # whether it is of values in the units of the data, from 0 on

    @abstractmethod
    def nats(self, made: Tensor, y: Tensor, spread: Tensor) -> Tensor:
        """Minus the log likelihood of `y` [...].

        Where it `counts`, the first parameter is a forecast in the units of the data, and `spread`
        the deviation of the series; else all is scaled.
        """

    @abstractmethod
    def quantiles(self, made: Floats, wanted: Sequence[float], spread: Floats) -> Floats:
        """Quantiles [N, H, Q] of what `made` [N, H, D] says; `spread` is [N]."""


@final
class Normal(Distribution):
    """m, and s = softplus: density of (y - m) / s."""

    size, counts = 2, False

    def nats(self, made: Tensor, y: Tensor, spread: Tensor) -> Tensor:
        s = F.softplus(made[..., 1]) + LEAST
        return 0.5 * ((y - made[..., 0]) / s).square() + s.log() + 0.5 * math.log(2 * math.pi)

    def quantiles(self, made: Floats, wanted: Sequence[float], spread: Floats) -> Floats:
        s = _softplus(made[..., 1]) + LEAST
        found: Floats = made[..., :1] + s[..., None] * _normal_quantile(np.array(wanted))
        return found

    def drawn(self, made: Floats, shares: Floats) -> Floats:
        """The quantile of each share [N] by the parameters [N, D]."""
        found: Floats = made[:, 0] + (_softplus(made[:, 1]) + LEAST) * _normal_quantile(shares)
        return found


@final
class Student(Distribution):
    """m, s and n: (y - m) / s has Student's distribution with n degrees of freedom, from 3 on."""

    size, counts = 3, False

    def nats(self, made: Tensor, y: Tensor, spread: Tensor) -> Tensor:
        s, n = F.softplus(made[..., 1]) + LEAST, F.softplus(made[..., 2]) + HEAVIEST
        t = ((y - made[..., 0]) / s).square()
        whole = torch.lgamma(n / 2) - torch.lgamma((n + 1) / 2) + 0.5 * (n * math.pi).log()
        return whole + s.log() + 0.5 * (n + 1) * torch.log1p(t / n)

    def quantiles(self, made: Floats, wanted: Sequence[float], spread: Floats) -> Floats:
        s, n = _softplus(made[..., 1]) + LEAST, _softplus(made[..., 2]) + HEAVIEST
        t = [student_quantile(np.full(n.shape, q), n) for q in wanted]
        found: Floats = made[..., :1] + s[..., None] * np.stack(t, -1)
        return found

    def drawn(self, made: Floats, shares: Floats) -> Floats:
        """The quantile of each share [N] by the parameters [N, D]."""
        s, n = _softplus(made[:, 1]) + LEAST, _softplus(made[:, 2]) + HEAVIEST
        found: Floats = made[:, 0] + s * student_quantile(shares, n)
        return found


@final
class NegativeBinomial(Distribution):
    """Mean m and dispersion a of counts: their variance is m + a m²."""

    size, counts = 2, True

    def nats(self, made: Tensor, y: Tensor, spread: Tensor) -> Tensor:
        m, a = above(made[..., 0], spread), F.softplus(made[..., 1]) + LEAST
        r = 1 / a
        rest = torch.lgamma(r) + torch.lgamma(y + 1) - torch.lgamma(y + r)
        return rest + (r + y) * torch.log1p(a * m) - y * (a * m).log()

    def quantiles(self, made: Floats, wanted: Sequence[float], spread: Floats) -> Floats:
        m, a = _above(made[..., 0], spread), _softplus(made[..., 1]) + LEAST

        def draw(random: np.random.Generator, k: int) -> Floats:
            size = (DRAWS, made.shape[1])
            return random.poisson(random.gamma(1 / a[k], a[k] * m[k], size)).astype(np.float64)

        return _drawn(draw, len(made), wanted)


@final
class Tweedie(Distribution):
    """Mean m and dispersion p of amounts: a Poisson number of exponential ones, power 3/2.

    The number has mean l = 2 √m / p, each amount t = p √m / 2; l t = m. The variance is p m^(3/2).
    The density of y > 0 is e^(-l - y/t) √(l / (t y)) I₁(2 √(l y / t)).
    """

    size, counts = 2, True

    def nats(self, made: Tensor, y: Tensor, spread: Tensor) -> Tensor:
        m = above(made[..., 0], spread)
        p = (F.softplus(made[..., 1]) + LEAST) * spread.sqrt()  # of the units of the data
        number, amount = 2 * m.sqrt() / p, 0.5 * p * m.sqrt()
        positive = y.clamp(min=1e-12)
        root = (number * positive / amount).sqrt()
        some = (
            (number.sqrt() - (positive / amount).sqrt()).square()
            - 0.5 * (number / (amount * positive)).log()
            - torch.special.i1e(2 * root).clamp(min=1e-30).log()
        )
        return torch.where(y > 0, some, number)

    def quantiles(self, made: Floats, wanted: Sequence[float], spread: Floats) -> Floats:
        m = _above(made[..., 0], spread)
        p = (_softplus(made[..., 1]) + LEAST) * np.sqrt(spread)[:, None]
        number, amount = 2 * np.sqrt(m) / p, 0.5 * p * np.sqrt(m)

        def draw(random: np.random.Generator, k: int) -> Floats:
            many = random.poisson(number[k], (DRAWS, made.shape[1]))
            found: Floats = amount[k] * random.standard_gamma(many)
            return found

        return _drawn(draw, len(made), wanted)


DISTRIBUTIONS: Mapping[str, Distribution] = {
    "normal": Normal(),
    "student": Student(),
    "negative-binomial": NegativeBinomial(),
    "tweedie": Tweedie(),
}


def above(forecast: Tensor, spread: Tensor) -> Tensor:
    """A forecast in the units of the data as a mean above 0: as it is, where it lies well above."""
    return spread * F.softplus(forecast / spread) + 1e-6


def _above(forecast: Floats, spread: Floats) -> Floats:
    found: Floats = spread[:, None] * _softplus(forecast / spread[:, None]) + 1e-6
    return found


def _softplus(x: Floats) -> Floats:
    found: Floats = np.logaddexp(0.0, x)
    return found


def _drawn(draw: Drawn, count: int, wanted: Sequence[float]) -> Floats:
    """Quantiles of values drawn for each of `count` windows, always by the same random numbers, so
    that none depends on the others."""
    found = [
        np.quantile(draw(np.random.default_rng(1), k), list(wanted), axis=0) for k in range(count)
    ]
    return np.moveaxis(np.stack(found), 1, 2)


def _normal_quantile(q: Floats) -> Floats:
    distinct, where = np.unique(q, return_inverse=True)
    return np.array([NormalDist().inv_cdf(one) for one in distinct])[where].reshape(q.shape)


def student_quantile(q: Floats, n: Floats) -> Floats:
    """Quantiles of Student's distribution with n degrees of freedom, from 3 on.

    Algorithm 396 (Hill 1970, doi:10.1145/355598.355600), good to five digits.
    """
    tails = np.clip(2 * np.minimum(q, 1 - q), 1e-12, 1.0)
    a = 1 / (n - 0.5)
    b = 48 / a**2
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * np.sqrt(a * math.pi / 2) * n
    y = (d * tails) ** (2 / n)
    return np.where(q < 0.5, -1.0, 1.0) * np.sqrt(
        n * np.where(y > 0.05 + a, _near(tails, n, a, b, c, d), _far(y, n, d))
    )


def _near(tails: Floats, n: Floats, a: Floats, b: Floats, c: Floats, d: Floats) -> Floats:
    x = _normal_quantile(tails / 2)
    c = np.where(n < 5, c + 0.3 * (n - 4.5) * (x + 0.6), c)
    c = (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b + c
    y = x * x
    y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x
    found: Floats = np.expm1(np.minimum(a * y * y, 700.0))
    return found


def _far(y: Floats, n: Floats, d: Floats) -> Floats:
    with np.errstate(all="ignore"):
        y = np.maximum(y, 1e-300)
        inner = 1 / (((n + 6) / (n * y) - 0.089 * d - 0.822) * (n + 2) * 3) + 0.5 / (n + 4)
        found: Floats = np.maximum((inner * y - 1) * (n + 1) / (n + 2) + 1 / y, 0.0)
    return found
