"""A plan settles what the user left open, and nothing else."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from elman.run.options import TrainOptions
from elman.run.prepare import planned
from elman.tasks.task import Plan


@given(
    cycle=st.one_of(st.none(), st.integers(1, 50)),
    by_clock=st.booleans(),
    plan=st.builds(
        Plan, st.none(), st.integers(1, 64), st.floats(1e-4, 0.1), st.just(""),
        st.one_of(st.none(), st.integers(1, 50)),
    ),
)  # fmt: skip
def test_what_is_given_stays_and_what_is_open_comes_from_the_plan(
    cycle: int | None, by_clock: bool, plan: Plan[None]
) -> None:
    length = {"minutes": 1.0} if by_clock else {"epochs": 3}
    how = TrainOptions(cycle=cycle, **length)
    settled = planned(how, plan)
    assert (settled.batch_size, settled.learning_rate) == (plan.batch_size, plan.learning_rate)
    assert settled.cycle == (plan.passes if cycle is None and by_clock else cycle)
    fixed = {"batch_size", "learning_rate", "cycle"}
    rest = {f.name for f in dataclasses.fields(how)} - fixed
    assert all(getattr(settled, name) == getattr(how, name) for name in rest)
