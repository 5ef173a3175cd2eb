"""The weight update: the optimiser, the learning rate over time, penalties and clipping."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from elman.run.options import TrainOptions


def make_optimizer(model: nn.Module, how: TrainOptions) -> torch.optim.Optimizer:
    """The optimiser over all parameters; only matrices decay, biases and gains do not.

    Adam is fused: one pass over a parameter and its moments in place of eight, a quarter of the
    time, which of a large vocabulary is a tenth of a step and more.
    """
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    groups: list[dict[str, Any]] = [
        {"params": matrices, "weight_decay": how.l2},
        {"params": vectors, "weight_decay": 0.0},
    ]
    rate = how.learning_rate or 0.0
    match how.optimizer:
        case "adamw":
            return torch.optim.AdamW(groups, rate, betas=(0.9, 0.99), fused=True)
        case "adam":
            return torch.optim.Adam(groups, rate, fused=True)
        case "sgd":
            return torch.optim.SGD(groups, rate, momentum=how.momentum)
        case "rmsprop":
            return torch.optim.RMSprop(groups, rate, momentum=how.momentum)


def learning_rate(how: TrainOptions, share: float, factor: float) -> float:
    """The learning rate when `share` of the run is over: a linear rise, then the schedule."""
    peak = (how.learning_rate or 0.0) * factor
    if share < how.warmup:
        return peak * max(share / how.warmup, 0.01)
    if how.schedule == "cosine":
        return peak * 0.5 * (1 + math.cos(math.pi * (share - how.warmup) / (1 - how.warmup)))
    return peak


def clip(model: nn.Module, how: TrainOptions) -> float:
    """Add the gradient of the L1 penalty, clip by value, then by norm; the norm before clipping."""
    weights = [p for p in model.parameters() if p.grad is not None]
    gradients = [p.grad for p in weights if p.grad is not None]
    if how.l1:
        for weight, gradient in zip(weights, gradients, strict=True):
            if weight.dim() > 1:
                gradient.add_(weight.detach().sign(), alpha=how.l1)
    norm = nn.utils.get_total_norm(gradients)  # before clipping by value, which hides infinity
    if how.clip_value:
        nn.utils.clip_grad_value_(weights, how.clip_value)
    if how.clip_norm:
        nn.utils.clip_grad_norm_(weights, how.clip_norm)
    return float(norm)
