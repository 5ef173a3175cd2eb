"""Names are a stranger's: whatever they are, what is written and read stays in its folder."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from elman.apps.lab.pieces.curves import thinned
from elman.apps.lab.workspace import Workspace

NAMES = st.text(max_size=300) | st.text("./\\ a\0\n<>", max_size=20)


@given(NAMES)
@example("..")
@example("../../x")
@example("a\\..\\b")
@example("<img src=x onerror=alert(1)>.txt")
@example("x" * 5000 + ".csv")
def test_a_dropped_file_lies_among_the_others_and_keeps_its_ending(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = Workspace(Path(folder))
        for _ in range(2):  # the second does not take the place of the first
            place = files.free_file(name)
            assert place.parent == files.files and place.name not in ("", ".", "..")
            place.parent.mkdir(parents=True, exist_ok=True)
            assert not place.exists()
            place.write_text("x")
    if name.isalnum():
        assert Workspace(Path("/x")).free_file(f"{name}.csv").suffix == ".csv"


@given(NAMES)
@example("run/../../run")
@example("../outside")
@example("outside")
def test_no_name_leads_to_a_run_elsewhere(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "runs"
        for place in (root / "run", root.parent / "outside"):
            place.mkdir(parents=True)
            for file in ("options.toml", "preprocessing.json"):
                (place / file).write_text("")
        found = Workspace(root).run(name)
        assert found is None or (found == root / "run" and name == "run")
        assert Workspace(root).runs() == [root / "run"]


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=400), st.integers(2, 90))
def test_thinned_curves_are_short_and_keep_their_end_and_their_range(
    points: list[tuple[float, float]], most: int
) -> None:
    short = thinned(points, most)
    assert len(short) <= max(most, min(len(points), most))
    assert short[-1:] == points[-1:]
    if short:
        heights = [y for _, y in points]
        assert min(heights) - 1e-9 <= min(y for _, y in short)
        assert max(y for _, y in short) <= max(heights) + 1e-9
