"""Activations by the names that Keras gives them."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from elman.errors import UserError, unknown_name

Function = Callable[[Tensor], Tensor]

FUNCTIONS: dict[str, Function] = {
    "linear": lambda x: x,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "hard_sigmoid": F.hardsigmoid,
    "hard_sigmoid of Keras 2": lambda x: (0.2 * x + 0.5).clamp(0, 1),
    "relu": torch.relu,
    "relu6": F.relu6,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "elu": F.elu,
    "selu": F.selu,
    "gelu": F.gelu,
    "silu": F.silu,
    "mish": F.mish,
    "softplus": lambda x: x.logaddexp(x.new_zeros(())),
    "softsign": F.softsign,
    "exponential": torch.exp,
    "softmax": lambda x: x.softmax(-1),
    "log_softmax": lambda x: x.log_softmax(-1),
}
OTHER_NAMES = {"swish": "silu", "exp": "exponential"}


def named(name: str, keras: int = 3) -> str:
    """The name in `FUNCTIONS` of what this major version of Keras means by `name`.

    UserError: an activation that is not known.
    """
    name = OTHER_NAMES.get(name, name)
    if name == "hard_sigmoid" and keras < 3:
        return "hard_sigmoid of Keras 2"
    if name not in FUNCTIONS:
        raise UserError(str(unknown_name("activation", name[:60], FUNCTIONS)))
    return name
