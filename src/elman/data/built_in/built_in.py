"""The data sets that come with Python or with Elman, so that every task runs without a network."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from elman.data.built_in.numbers import numbers
from elman.data.built_in.python_tags import python_tags

if TYPE_CHECKING:
    from numpy.typing import NDArray

CATEGORIES: Mapping[str, str] = {
    "L": "letter",
    "M": "mark",
    "N": "number",
    "P": "punctuation",
    "S": "symbol",
}
IDEOGRAPH = "IDEOGRAPH-"  # whose names are numbers


def topics() -> bytes:
    """The help texts of Python, one after the other."""
    from pydoc_data.topics import topics

    return "\n".join(topics[topic] for topic in sorted(topics)).encode()


def unicode() -> bytes:
    """The names of Unicode's characters, and what each is: a letter, a mark, a symbol, …

    name,kind
    GREEK SMALL LETTER ALPHA,letter
    """
    rows = ["name,kind"]
    for code in range(0x80, 0x20000):
        name, kind = unicodedata.name(chr(code), ""), unicodedata.category(chr(code))[0]
        if name and kind in CATEGORIES and IDEOGRAPH not in name and "HANGUL SYLLABLE" not in name:
            rows.append(f"{name},{CATEGORIES[kind]}")
    return "\n".join(rows).encode() + b"\n"


def pendulum() -> bytes:
    """A damped pendulum driven by a torque, simulated; measured with a little noise.

    angle'' = -9.81 sin(angle) - 0.2 angle' + torque, in radians and seconds, 200 times from another
    angle and velocity, for 10 s in steps of 0.05 s. The torque is held for 5 to 20 steps. Angle and
    velocity are those at the end of a step, with a standard error of 0.01 rad and 0.03 rad/s.

    sequence,torque,angle,velocity,initial_angle,initial_velocity
    1,1.8469,0.0435,0.3209,0.0355,0.2482
    """
    import numpy as np

    draw = np.random.Generator(np.random.PCG64(1))
    pendulums, steps, step = 200, 200, 0.05
    start = np.stack([draw.uniform(-1.5, 1.5, pendulums), draw.uniform(-2, 2, pendulums)])
    torques = np.zeros((steps, pendulums))
    for k in range(pendulums):
        at = 0
        while at < steps:
            held = int(draw.integers(5, 21))
            torques[at : at + held, k] = draw.uniform(-2, 2)
            at += held

    def slope(now: NDArray[np.float64], torque: NDArray[np.float64]) -> NDArray[np.float64]:
        angle, velocity = now
        return np.stack([velocity, -9.81 * np.sin(angle) - 0.2 * velocity + torque])

    now, seen = start, []
    for torque in torques:
        k1 = slope(now, torque)  # Runge and Kutta's rule of order 4
        k2 = slope(now + step / 2 * k1, torque)
        k3 = slope(now + step / 2 * k2, torque)
        k4 = slope(now + step * k3, torque)
        now = now + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        seen.append(now + draw.normal(size=now.shape) * [[0.01], [0.03]])
    rows = ["sequence,torque,angle,velocity,initial_angle,initial_velocity"]
    rows += [
        f"{k + 1},{torques[t, k]:.4f},{seen[t][0, k]:.4f},{seen[t][1, k]:.4f},"
        f"{start[0, k]:.4f},{start[1, k]:.4f}"
        for k in range(pendulums)
        for t in range(steps)
    ]
    return "\n".join(rows).encode() + b"\n"


def sunspots() -> bytes:
    """The mean number of sunspots of each year.

    year,sunspots
    1700,5
    """
    from elman.data.built_in.sunspots import FIGURES, FIRST

    rows = [f"{FIRST + k},{figure}" for k, figure in enumerate(FIGURES.split())]
    return "\n".join(["year,sunspots", *rows]).encode() + b"\n"


def morse() -> bytes:
    """Morse code as sound made by code, with its text: a zip of WAV files and a table.

    file_name,text,wpm,snr_db,pitch_hz
    clips/0001.wav,CQ DE G4XYZ K,18.4,3.5,612
    """
    from elman.data.built_in.morse import morse

    return morse()


def beeps() -> bytes:
    """Short sounds made by code, to be told apart: a zip with a folder a kind.

    rising/0001.wav
    """
    from elman.data.built_in.beeps import beeps

    return beeps()


def canons() -> bytes:
    """Canons of two voices, made by rules: tunes in ABC.

    V:1
    e2 d2 c4 | A2 B2 c4 |
    """
    from elman.data.built_in.canons import canons

    return canons()


MADE: Mapping[str, Callable[[], bytes]] = {
    "topics": topics,
    "unicode": unicode,
    "python-tags": python_tags,
    "pendulum": pendulum,
    "sunspots": sunspots,
    "numbers": numbers,
    "morse": morse,
    "beeps": beeps,
    "canons": canons,
}
