"""What leaves of a forecaster.

    settings    {"horizon" H, "look_back" L, "season", "log", "scaling", "seasonal", …}
    fitted      {"names", "words", and of "values", "known", "past", "static" [means, spreads]}
    network     "direct", "recursive" or "segments"; of these `segment` is W
    members     names of the programs, whose forecasts' median is the network's
    quantiles   those that are forecast; none: one forecast
    beside, shares  the simple forecast (`elman.tasks.forecast.simple`) that is mixed in, None where
                there is none, and the network's own share in the forecast of each series, [S + 1],
                in the end that of one that is new
    bands       how intervals are made (`Bands`): {"calibrated", "told", "ends", "moved" [H][K][2],
                "size" [S], "unrest" [S], "least", "sure"}

A window is the last L values z of a series, or their logarithms, less those of the season before
where it is `seasonal`. It is scaled as (z - level) / spread, by the series' own numbers, by those
of the window, or with its last value as level: `Panel.batch`, `Panel.unscaled`.

Programs read `values` [B, L, 1 + P], scaled, with past columns beside; `known` [B, L, F], what is
known of each of these steps, and `ahead` [B, H, F] of those ahead; `static` [B, K], numbers scaled
and words one-hot; `which` [B], the number of the series, or S for one that is new. Each is there
where there is such a thing.

- direct: → `made` [B, H, Q].
- recursive streams: `values` [B, T, 1] and `known` [B, T, F] of the step after each → `made`
  [B, T, 1]; ahead of the present its last forecast is the next value.
- segments: `values` [B, L / W, W * (1 + P + F)], with what is known beside each, and `ahead`
  [B, H * F] → `made` [B, H, Q].

Question: {"series": name, "values", "known": [N + H][F], "past": [N][P], "static": [K], "first":
the place on the grid of the first value}; answer: for each step ahead {"forecast", "q0.1", …}.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from elman.data.tables.content import BadRows
from elman.data.time_series.series import Collection, Series
from elman.errors import UserError
from elman.export.building import Builder, stacked, unstacked
from elman.export.program import Array, Arrays, Export, Program, Raw, Runner
from elman.tasks import leaving
from elman.tasks.forecast import cutting
from elman.tasks.forecast.data import Inputs
from elman.tasks.forecast.mixing.mixture import forecasts
from elman.tasks.forecast.model import each_of, widths_of
from elman.tasks.forecast.networks.direct import Direct
from elman.tasks.forecast.networks.network import Identity, Network, Widths
from elman.tasks.forecast.networks.recursive import Recursive
from elman.tasks.forecast.networks.segments import Segments
from elman.tasks.forecast.options import ForecastOptions
from elman.tasks.forecast.predict import told
from elman.tasks.forecast.reading import resumed, settled
from elman.tasks.task import Kept

KINDS = {Direct: "direct", Recursive: "recursive", Segments: "segments"}


def export(model: nn.Module, kept: Kept, options: ForecastOptions) -> Export:
    """UserError: smoothing, or a distribution."""
    assert isinstance(model, Network)
    for option, why in (("smoothing", "steps of smoothing"), ("distribution", "its quantiles")):
        if getattr(options, option):
            raise UserError(
                f"--{option} {getattr(options, option)}: {why} cannot leave; train without it"
            )
    reading, settings, fitted = settled(kept)
    widths = widths_of(fitted, len(reading.options.past_columns))
    networks = each_of(model)
    names = ["model"] if len(networks) == 1 else [f"member_{k}" for k in range(len(networks))]
    count = len(fitted.names)
    shares = [model.share] * (count + 1)
    if model.mixing is not None:
        shares = [*model.mixing.own[0].tolist(), float(model.mixing.new[0])]
    surroundings = {
        "settings": asdict(settings) | {"calendar": list(settings.calendar)},
        "fitted": fitted.to_json(),
        "network": KINDS[type(networks[0])],
        "segment": options.segment,
        "members": names,
        "quantiles": list(options.quantiles),
        "beside": model.beside if min(shares) < 1 else None,
        "shares": shares,
        "bands": bands_of(model),
    }
    programs: dict[str, Program] = {}
    originals: dict[str, Runner] = {}
    for name, network in zip(names, networks, strict=True):
        programs[name] = program(network, widths)
        originals[name] = Streamed(network) if isinstance(network, Recursive) else Whole(network)
    raw = Raw(partial(drawn, kept), partial(answered, model, kept, options))
    return Export("forecast", programs, surroundings, originals, raw)


def bands_of(model: Network) -> dict[str, Any] | None:
    bands = model.bands
    if bands is None:
        return None
    return {
        "calibrated": bands.calibrated, "told": list(bands.told),
        "ends": [list(pair) for pair in bands.ends], "moved": bands.moved[0].tolist(),
        "size": bands.size.tolist(), "unrest": bands.unrest.tolist(),
        "least": float(bands.least.item()), "sure": bands.sure,
    }  # fmt: skip


# ---- Programs ------------------------------------------------------------------------------------


def program(network: Network, widths: Widths) -> Program:
    build = Builder(network)
    if isinstance(network, Direct):
        return _direct(build, network, widths)
    if isinstance(network, Recursive):
        return _recursive(build, network, widths)
    assert isinstance(network, Segments)
    return _segments(build, network, widths)


def _direct(build: Builder, network: Direct, widths: Widths) -> Program:
    L = network.look_back
    parts = [build.numbers("values", "B", L, 1 + widths.past)]
    if widths.known:
        parts.append(build.numbers("known", "B", L, widths.known))
    x = build.concat(*parts, *_always(build, network, widths, parts[0]))
    y, _ = build.stack(network.recurrent, x)
    last = leaving.ends(build, y, None, both_ways=network.both_ways)
    context = build.steps(build.linear(last, network.context), network.horizon)
    if widths.known:
        context = build.concat(context, build.numbers("ahead", "B", network.horizon, widths.known))
    local = build.activation(build.linear(context, network.local), "relu")
    return build.done(build.linear(local, network.output, "made"))


def _recursive(build: Builder, network: Recursive, widths: Widths) -> Program:
    parts = [build.numbers("values", "B", "T", 1)]
    if widths.known:
        parts.append(build.numbers("known", "B", "T", widths.known))
    x = build.concat(*parts, *_always(build, network, widths, parts[0]))
    y, _ = build.stack(network.recurrent, x, carried=True)
    return build.done(build.linear(y, network.output, "made"))


def _segments(build: Builder, network: Segments, widths: Widths) -> Program:
    W, M = network.segment, network.ahead
    columns = W * (1 + widths.past + widths.known)
    values = build.numbers("values", "B", network.look_back // W, columns)
    x = build.activation(build.linear(values, network.embed), "relu")
    _, state = build.stack(network.recurrent, x)
    static = build.numbers("static", "B", widths.static) if network.static is not None else None
    own = None if network.identity is None else _identity(build, network.identity)
    size = W * widths.known
    ahead = None
    if network.known is not None:
        ahead = build.numbers("ahead", "B", network.horizon * widths.known)
        more = M * size - build.width(ahead)
        if more:  # steps of the last segment that lie beyond the horizon
            ahead = build.concat(ahead, build.expand(torch.zeros(more), values))
    made = []
    for m in range(M):
        step = build.expand(network.position[m], values)
        step = step if own is None else build.concat(step, own)
        if static is not None and network.static is not None:
            step = build.add(step, build.linear(static, network.static))
        if ahead is not None and network.known is not None:
            coming = build.slice(ahead, m * size, (m + 1) * size)
            step = build.add(step, build.linear(coming, network.known))
        y, _ = build.stack(network.recurrent, build.steps(step, 1), first=state)
        made.append(build.pool(build.linear(y, network.output), "last", None))
    H = network.horizon
    told = build.slice(build.concat(*made), 0, H * network.outputs)
    return build.done(build.named(build.steps(told, H), "made"))


def _always(build: Builder, network: Network, widths: Widths, like: str) -> list[str]:
    """What is read at every step alike, at every step of `like`."""
    found = []
    if widths.static:
        found.append(build.spread(build.numbers("static", "B", widths.static), like))
    if network.identity is not None:
        found.append(build.spread(_identity(build, network.identity), like))
    return found


def _identity(build: Builder, identity: Identity) -> str:
    """The vector of a series [B, W]; the last row is that of a new one."""
    table = torch.cat([identity.vectors, identity.vectors.mean(0, keepdim=True)])
    return build.lookup(build.ids("which", ("B",), len(table)), table)


# ---- Originals -----------------------------------------------------------------------------------


def _told(network: Network, inputs: Arrays, rows: int) -> Inputs:
    """Inputs without values and what is known of steps: what is the same at all of them."""
    static = inputs.get("static", np.zeros((rows, 0), np.float32))
    which = inputs.get("which", np.zeros(rows, np.int64))
    if network.identity is not None:
        which = np.where(which == len(network.identity.vectors), -1, which)
    none = torch.zeros(rows, 0, 0)
    return Inputs(none, none, torch.from_numpy(static), torch.from_numpy(which))


@dataclass(frozen=True)
class Whole:
    """A network that forecasts a window at once, as a `Runner`."""

    network: Network

    @torch.no_grad()
    def run(
        self, inputs: Arrays, states: Arrays | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        network, values = self.network, torch.from_numpy(inputs["values"])
        rows, L, H = len(values), network.look_back, network.horizon
        known = values.new_zeros(rows, L + H, 0)
        if isinstance(network, Segments):
            values = values.reshape(rows, L, -1)
            if network.known is not None:
                F = network.known.in_features // network.segment
                ahead = torch.from_numpy(inputs["ahead"]).reshape(rows, -1, F)[:, :H]
                known = torch.cat([values[..., -F:], ahead], 1)
                values = values[..., :-F]
        elif "known" in inputs:
            known = torch.cat([torch.from_numpy(inputs[name]) for name in ("known", "ahead")], 1)
        made: Tensor = network(_told(network, inputs, rows)._replace(values=values, known=known))
        return {"made": made.numpy()}, {}


@dataclass(frozen=True)
class Streamed:
    """A network that goes on step by step, as a `Runner`."""

    network: Recursive

    @torch.no_grad()
    def run(
        self, inputs: Arrays, states: Arrays | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        values = torch.from_numpy(inputs["values"])
        known = values[..., :0] if "known" not in inputs else torch.from_numpy(inputs["known"])
        told, stack = _told(self.network, inputs, len(values)), self.network.recurrent
        x = self.network._inputs(values, known, told)
        y, after = stack(x, None if states is None else stacked(stack, states))
        made = self.network._read(y).transpose(0, 1)
        return {"made": made.numpy()}, unstacked(stack, after)


# ---- Raw questions -------------------------------------------------------------------------------


def drawn(kept: Kept, draw: np.random.Generator, count: int) -> list[Any]:
    """Random walks about the level of what was trained on, every third of a new series."""
    reading, settings, fitted = settled(kept)
    made = []
    for k in range(count):
        number = int(draw.integers(len(fitted.names)))
        N, H = settings.reads + int(draw.integers(60)), settings.horizon
        mean, spread = fitted.values.mean[number], fitted.values.spread[number]
        steps = draw.standard_normal(N) * 0.3
        y = mean + spread * (np.cumsum(steps) / 3 + np.sin(np.arange(N)))
        y = np.exp(y - mean) if settings.log else np.round(np.abs(y), 3)
        first = int(draw.integers(1000))
        future = draw.standard_normal((N + H, len(reading.options.future_columns)))
        known = cutting.known_of(np.arange(first, first + N + H), future, reading.grid, settings)
        words = iter(fitted.words)
        static = [str(draw.choice(w)) if w else f"{draw.standard_normal():.3f}" for w in words]
        made.append({
            "series": fitted.names[number] if k % 3 else "a new one",
            "values": y.tolist(),
            "known": known.tolist(),
            "past": draw.standard_normal((N, len(reading.options.past_columns))).tolist(),
            "static": static,
            "first": first,
        })  # fmt: skip
    return made


def answered(
    model: Network, kept: Kept, options: ForecastOptions, questions: Sequence[Any]
) -> list[Any]:
    reading, settings, _ = settled(kept)
    F, P = len(reading.options.future_columns), len(reading.options.past_columns)
    found = []
    for k, one in enumerate(questions):
        y = np.array(one["values"], dtype=np.float64)
        places = one["first"] + np.arange(len(y) + settings.horizon)
        known = np.array(one["known"], dtype=np.float64).reshape(len(places), -1)
        past = np.array(one["past"], dtype=np.float64).reshape(len(y), P)
        future = known[:, known.shape[1] - F :]
        found.append(
            Series(one["series"], f"question {k}", y, places, past, future, tuple(one["static"]))
        )
    answers = []
    for one in found:  # each alone: their names may be the same
        panel = resumed("", Collection([one], reading), kept, BadRows(skip=False), ahead=True)
        values, _ = forecasts(model, panel, panel.check, "cpu")
        answers.append([told(step, options.quantiles) for step in values[0]])
    return answers
