"""Options from plain values: what fits is kept, what does not is refused by name."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from elman.errors import UserError
from elman.options import make, plain, read_toml, require_range, shown


@dataclass(frozen=True)
class Sample:
    """Every kind of field that options have."""

    count: int = 3
    share: float = 0.5
    name: str = "x"
    choice: Literal["one", "two"] = "one"
    flag: bool = False
    place: Path | None = None
    sizes: tuple[int, ...] | None = None
    flags: tuple[bool, ...] = (False,)

    def __post_init__(self) -> None:
        require_range(self, ("count", "sizes"), 1, 1000)
        require_range(self, ("share",), 0, 1, open_end=True)


samples = st.builds(
    Sample,
    count=st.integers(1, 1000),
    share=st.floats(0, 1, exclude_max=True),
    name=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])),
    choice=st.sampled_from(["one", "two"]),
    flag=st.booleans(),
    place=st.none() | st.sampled_from([Path("a/b"), Path("/c")]),
    sizes=st.none() | st.lists(st.integers(1, 1000)).map(tuple),
    flags=st.lists(st.booleans()).map(tuple),
)


@given(samples)
def test_options_survive_toml(sample: Sample) -> None:
    assert make(Sample, tomllib.loads(tomli_w.dumps(plain(sample)))) == sample


@given(st.lists(st.integers(1, 1000), min_size=1), st.lists(st.booleans(), min_size=1))
def test_lists_come_with_commas_as_lists_or_alone(sizes: list[int], flags: list[bool]) -> None:
    made = make(Sample, {"sizes": ",".join(map(str, sizes)), "flags": ",".join(map(str, flags))})
    assert made == make(Sample, {"sizes": sizes, "flags": flags})
    assert made.sizes == tuple(sizes)
    assert make(Sample, {"sizes": sizes[0]}).sizes == (sizes[0],)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count", "three"), ("count", 1.5), ("count", True), ("count", None), ("count", 0),
        ("count", 1001), ("count", 10**500), ("count", "9" * 5000), ("share", "much"),
        ("share", 1), ("share", -0.1), ("share", math.nan), ("share", math.inf), ("share", 10**400),
        ("share", False), ("choice", "three"), ("choice", 1), ("flag", "perhaps"), ("flag", 1),
        ("place", 3), ("place", "a\0b"), ("sizes", [0]), ("sizes", ["x"]), ("sizes", [[1]]),
        ("sizes", ""), ("sizes", {}), ("name", 3), ("nmae", "x"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_with_its_name_and_its_file(name: str, value: object) -> None:
    with pytest.raises(UserError) as told:
        make(Sample, {name: value}, where="x.toml")
    assert str(told.value).startswith("x.toml: ")
    assert name in str(told.value)
    assert len(str(told.value)) < 200


def test_a_near_name_is_proposed() -> None:
    with pytest.raises(UserError, match='unknown option "cuont"; did you mean "count"'):
        make(Sample, {"cuont": 3})


@pytest.mark.parametrize(
    "content", [b"\xff", b"a =", b"a = " + b"9" * 5000, b"a = " + b"[" * 20_000, b"a\0"]
)
def test_files_that_are_no_toml(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.toml").write_bytes(content)
    with pytest.raises(UserError, match=r"x\.toml: not valid TOML"):
        read_toml(tmp_path / "x.toml")
    with pytest.raises(UserError, match="absent"):
        read_toml(tmp_path / "absent.toml")


@given(st.integers() | st.text() | st.lists(st.integers()).map(tuple) | st.integers(10**4400))
def test_a_value_is_shown_in_short(value: object) -> None:
    assert len(shown(value)) <= 60


def test_ranges_are_told_as_people_write_them() -> None:
    with pytest.raises(UserError, match="--count 0: needs a value from 1 to 1,000"):
        Sample(count=0)
    with pytest.raises(UserError, match=r"--share 1\.0: needs a value from 0 to below 1"):
        dataclasses.replace(Sample(), share=1.0)


@dataclass(frozen=True)
class Renamed:
    """Fields that had other names, and one that must be given."""

    pattern: str
    target: tuple[str, ...] | None = dataclasses.field(
        default=None, metadata={"aliases": ("target_columns", "y_columns")}
    )


@pytest.mark.parametrize("name", ["target", "target_columns", "y_columns"])
def test_an_option_is_accepted_by_each_of_its_names(name: str) -> None:
    made = make(Renamed, {"pattern": "x", name: "a,b"})
    assert made == Renamed("x", ("a", "b"))
    assert plain(made) == {"pattern": "x", "target": ["a", "b"]}
    with pytest.raises(UserError, match=r"x\.toml: target and .* are two names of one option"):
        make(Renamed, {"target": "a", "y_columns": "a", "pattern": "x"}, where="x.toml")


def test_what_is_missing_from_a_file_is_told() -> None:
    with pytest.raises(UserError, match=r"^x\.json: damaged \(no pattern in it\)$"):
        make(Renamed, {"target": "a"}, where="x.json")
    values: tuple[Any, ...] = (None, [], "pattern", 3)
    for value in values:
        with pytest.raises(UserError, match=r"^x\.json: damaged \("):
            make(Renamed, value, where="x.json")
