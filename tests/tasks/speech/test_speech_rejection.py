"""Sounds of no class: what they cost, that they are drawn anew, and what a report tells of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from trained_runs import Hears

import elman
from elman.layers.sound import RANGE, levelled
from elman.tasks.speech.rejection import LEVELS, NONE, background, cost


@pytest.mark.parametrize("seed", range(4))
def test_a_sound_of_no_class_costs_what_all_classes_alike_would(seed: int) -> None:
    torch.manual_seed(seed)
    scores, targets = torch.randn(6, 5, dtype=torch.float64), torch.tensor([0, NONE, 4, NONE, 2, 1])
    known = targets >= 0
    alike = torch.full((2, 5), 0.2, dtype=torch.float64)
    told = F.cross_entropy(scores[known], targets[known], reduction="sum")
    told += F.cross_entropy(scores[~known], alike, reduction="sum")
    assert cost(scores, targets).item() == pytest.approx(told.item())
    least = cost(torch.zeros(1, 5, dtype=torch.float64), torch.tensor([NONE]))
    assert least.item() == pytest.approx(math.log(5))


def test_backgrounds_are_drawn_by_the_generator_alone_and_lie_in_their_levels() -> None:
    own = np.sin(np.arange(3000) / 5).astype(np.float32)
    levels = []
    for seed in range(60):
        first, again = (background(np.random.default_rng(seed), 800, 8000, [own]) for _ in range(2))
        assert np.array_equal(first, again) and first.dtype == np.float32 and len(first) == 800
        levels.append(float(np.sqrt(np.mean(np.square(first, dtype=np.float64)))))
    silent = [level for level in levels if level < LEVELS[0] / 2]
    assert 0 < len(silent) < 20 and max(levels) <= LEVELS[1] * 1.01


@pytest.mark.parametrize("seed", range(4))
def test_a_level_moves_neither_with_loudness_nor_with_silence_around_nor_with_padding(
    seed: int,
) -> None:
    draw = torch.Generator().manual_seed(seed)
    clip = torch.randn(30, 4, generator=draw, dtype=torch.float64)
    length = torch.tensor([30])
    plain = levelled(clip[None], length)
    torch.testing.assert_close(levelled(clip[None] + 3.7, length), plain)
    quiet = torch.full((3, 4), -50.0, dtype=torch.float64)  # as many loud frames: a tenth of 33
    around = levelled(torch.cat([clip, quiet])[None], torch.tensor([33]))
    torch.testing.assert_close(around[:, :30], plain)
    assert torch.equal(around[:, 30:], torch.full_like(around[:, 30:], -1.5))
    padded = levelled(torch.cat([clip, 9 + quiet * 0])[None], length)
    torch.testing.assert_close(padded[:, :30], plain)
    assert not padded[:, 30:].any() and RANGE > 0


def test_a_report_tells_what_a_threshold_does(classes: Hears) -> None:
    report = (elman.load(classes.run).path / "report.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in report.splitlines() if line.startswith("| 0.")]
    rows = [row for row in rows if len(row) == 6]
    alarms = [float(row[2].replace(",", "")) for row in rows]
    shares = [float(row[3].strip().rstrip("%")) for row in rows]
    assert len(rows) == 5 and alarms == sorted(alarms, reverse=True)
    assert shares == sorted(shares, reverse=True)
