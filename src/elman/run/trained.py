"""A trained model and the folder it came from: it scores, and it writes."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, get_args

from torch import nn

from elman import decode, tasks
from elman.data import handed
from elman.data.handed import Data
from elman.data.tables.content import BadRows
from elman.errors import UserError, unknown_name
from elman.export.program import How
from elman.options import make, shown
from elman.run import place, prepare
from elman.run.folder import RunFolder
from elman.run.report import advice
from elman.run.sharing import hub
from elman.run.sharing.options import told
from elman.run.sharing.pack import pack
from elman.run.sharing.parts import Part, parts
from elman.run.sharing.places import name_of
from elman.run.verdict import Verdict, judged
from elman.tasks.adapting import Adapting
from elman.tasks.task import Cursor, Task, Writer

if TYPE_CHECKING:
    from elman.data.symbolic.piece import Piece
    from elman.run.exporting import Exported
    from elman.tasks.music.composing.place import Composer, Composition, Place


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Scores by name, beside those of simple rivals, on the same data."""

    compared: Verdict
    counted: str = ""  # how scores were counted, where there are several ways
    left_out: BadRows = dataclasses.field(default_factory=lambda: BadRows(skip=False))
    warning: str = ""  # what takes from the worth of the scores

    @property
    def scores(self) -> dict[str, float]:
        """The network's scores; the first decides."""
        return self.compared.scores

    @property
    def baseline(self) -> dict[str, float]:
        """The scores of the rival that the training part chose; empty without rivals."""
        return self.compared.baseline

    @property
    def beats_baseline(self) -> bool | None:
        """Whether the first score is better by more than chance could give; None without rivals."""
        return self.compared.gained

    @property
    def verdict(self) -> str:
        """Whether anything is gained, in a sentence or two; empty without rivals."""
        return self.compared.told


class Run:
    """A trained model and the folder it came from; `elman.load` gives it."""

    def __init__(self, trained: prepare.Trained, device: str) -> None:
        # Absolute, so that it stays the same folder wherever the process goes.
        place = RunFolder(trained.folder.path.absolute())
        self._trained, self.device = dataclasses.replace(trained, folder=place), device
        self.model: nn.Module = prepare.load_model(trained, device)

    @property
    def path(self) -> Path:
        """The run folder."""
        return self._trained.folder.path

    @property
    def folder(self) -> RunFolder:
        """The run folder's files, read."""
        return self._trained.folder

    @property
    def trained(self) -> prepare.Trained:
        """The run as it was read: its task, options and preprocessing."""
        return self._trained

    @property
    def task(self) -> str:
        """The name of the task."""
        return self._trained.task.name

    @property
    def verdict(self) -> str:
        """What the report says in plain words: is anything gained, and what to try next."""
        return " ".join(self.advice)

    @property
    def advice(self) -> list[str]:
        """The sentences of `verdict`, one thought in each."""
        return advice(self.folder, self._trained.task.losses_apart(self._trained.options))

    @property
    def scores(self) -> dict[str, float]:
        """The scores at the end of training, by name; empty where nothing was kept to validate."""
        return dict(self.folder.verdict().scores)

    @property
    def baseline(self) -> dict[str, float]:
        """The scores, on the same data, of the rival that the training part chose."""
        return self.folder.verdict().baseline

    def evaluate(self, *data: Data, skip_bad_rows: bool = False, **how: Any) -> Evaluation:
        """Scores on other data, or, with none, on the run's own test or validation part.

        Other data is scored without rivals where the training data is no longer there; its
        rows that cannot be read raise UserError or, with `skip_bad_rows`, are left out and counted
        in `left_out`. `how`: beam, length_penalty and the other options of
        the task's decoding, where answers are searched for; dynamic and dynamic_rate of
        `elman.tasks.adapting`, for a language model.
        """
        own = {field.name for field in dataclasses.fields(Adapting)}
        adapting = make(Adapting, {name: how[name] for name in how.keys() & own})
        run, task = self._trained, self._decoding({n: v for n, v in how.items() if n not in own})
        if adapting.dynamic and task.adapted is None:
            raise UserError(f"--dynamic: for language models; the task is {self.task}")
        bad = BadRows(skip_bad_rows)
        names = handed.items(data)
        other = task.unseen(names, run.preprocessing, bad) if data else None
        try:
            training = prepare.read_again(run)
        except UserError as error:
            if other is None:
                raise
            if adapting.dynamic:
                raise UserError(f"--dynamic: needs the text that was trained on; {error}") from None
            found = task.validate(self.model, other, run.options, self.device)
            why = f"nothing to compare with, as {error}"
            return Evaluation(Verdict(found.scores, {}), found.counted, bad, why)
        dataset = task.scored(training) if other is None else other
        if dataset is training and not run.how.validation:
            raise UserError(f"{self.path}: kept nothing for validation; name other data")
        found = task.validate(self.model, dataset, run.options, self.device)
        scores = found.scores
        if adapting.dynamic and task.adapted is not None:
            scores = scores | task.adapted(
                self.model, dataset, run.options, training, self.device, adapting
            )
        rivals = task.rivals(dataset, run.options, training)
        seen = task.overlap(dataset, training) if other is not None else ""
        return Evaluation(judged(scores, found.tally, rivals), found.counted, bad, seen)

    def inspect(self, *data: Data, **how: Any) -> Any:
        """Look into the network by its own validation part or by other data, in under a minute.

        Writes inspect.md and its pictures into the run folder, and gives what was found as an
        `elman.inspection.Inspection`; its `findings` are the sentences that tell most. `how`:
        seconds, only (names of sections), size (sequences), seed.
        UserError: the run's data has changed or is gone and no other is given, or no such section.
        """
        # What looks into runs stands above them, and is loaded when it is asked for.
        return importlib.import_module("elman.inspection").inspect_run(self, *data, **how)

    def export(
        self, to: str, output: str | Path | None = None, *, seed: int = 0, force: bool = False,
        **how: Any,
    ) -> Exported:  # fmt: skip
        """The run as files that need no Elman, `to` onnx or c, in the folder `output`, by default
        one of the run's own; they are held against the run before they are kept.

        `how`: precision (float32, int8, for c bf16 too), name of the files. UserError: it cannot
        leave. RunError: the export is not the same network.
        """
        from elman.run import exporting

        path = None if output is None else Path(output)
        made = make(How, how)
        return exporting.export(
            self._trained, self.model, to, made, path=path, seed=seed, force=force
        )

    def predict(
        self, *data: Data, out: TextIO, bad: BadRows | None = None, **decoding: Any
    ) -> None:
        """One row written to `out` for each row of `data`, with the model's answer.

        `bad` says what becomes of rows that cannot be read, and counts them; by default the first
        raises UserError. `decoding` as in `evaluate`.
        """
        run, task = self._trained, self._decoding(decoding)
        if task.predict is None:
            raise UserError(f"{self.path}: the task {self.task} does not predict")
        task.predict(
            self.model, run.preprocessing, run.options, self.device,
            handed.items(data), out, bad or BadRows(skip=False),
        )  # fmt: skip

    def transcribe(self, sound: Any, rate: int | None = None, **decoding: Any) -> Any:
        """What is heard in a recording: text, confidence in [0, 1], and words with their times.

        `sound` is a path, or samples [S] or [S, channels] of `rate` a second: floats in [-1, 1] or
        int16. Of a model that names classes the text is the name. `decoding` as in `evaluate`.
        """
        run, task = self._trained, self._decoding(decoding)
        if task.transcribe is None:
            raise UserError(f"{self.path}: the task {self.task} does not hear")
        return task.transcribe(self.model, run.preprocessing, sound, rate)

    def read(self, prompt: str = "", after: Cursor | None = None) -> Cursor:
        """The place in a text after `prompt`, from which `stream` writes on, as often as wanted."""
        return self._writer().read(prompt, after)

    def stream(
        self,
        cursor: Cursor,
        length: int = 500,
        sampling: decode.Sampling | None = None,
        weights: decode.Weights = "float32",
        stop: str | Sequence[str] = (),
    ) -> Iterator[tuple[str, Cursor]]:
        """`length` tokens from `cursor`: pieces of text as they are made, and the place after each.

        They end earlier where the model writes `stop`, or one of several, which is left out; the
        last place is then that after it.

        Pieces streamed on from the last place continue the text as if it had never stopped: a
        character that is not finished at the end is left to them. The model's weights are copied
        when the first piece is made, as float32, or smaller and faster as float16 or int8; in
        what way they round is told in docs/kernels.md. UserError: a model that cannot have them so.
        """
        if weights not in get_args(decode.Weights):
            raise unknown_name("weights", str(weights), get_args(decode.Weights))
        if length < 0:
            raise UserError(f"length {shown(length)}: needs a value from 0")
        pieces = self._writer().write(cursor, length, sampling or decode.Sampling(), weights)
        return decode.until(pieces, [stop] if isinstance(stop, str) else stop) if stop else pieces

    def generate(
        self,
        prompt: str = "",
        length: int = 500,
        weights: decode.Weights = "float32",
        stop: str | Sequence[str] = (),
        **sampling: Any,
    ) -> str:
        """The prompt and `length` tokens after it, with `weights` and `stop` as in `stream`.

        `sampling`: temperature, top_k, top_p, repetition_penalty, seed, as in `decode.Sampling`.
        """
        chosen = make(decode.Sampling, sampling)
        pieces = self.stream(self.read(prompt), length, chosen, weights, stop)
        return prompt + "".join(piece for piece, _ in pieces)

    def composition(
        self, prompt: str | Path = "", after: Place | None = None, **asked: Any
    ) -> Composition:
        """A piece as it is being made: iterated over, it gives lines of text, one a step or a bar.

        It goes on from the notes of a file, `prompt`, and from `after`, a place that `load_state`
        gave; at any time `.piece` is what there is so far, `.place` where it stands, and `.told`
        what the user should know. `asked`: bars, keep, given and the other options of composing.
        """
        return self._composition(self._composing(asked), prompt, after)

    def compose(
        self, prompt: str | Path = "", output: str | Path | Sequence[str | Path] = (), **asked: Any
    ) -> Piece:
        """A whole piece, as `composition` makes it; written into each file of `output`, as MIDI,
        sound, a picture or JSON by its ending: `run.compose(bars=8, output="piece.mid")`."""
        from elman.tasks.music.composing import output as files

        several = [output] if isinstance(output, str | Path) else output
        paths = [Path(path) for path in several]
        files.check(paths)
        made = self.composition(prompt, **asked)
        for _ in made:
            pass
        for path in paths:
            files.write(made.piece, path)
        return made.piece

    def package(
        self, path: str | Path, *, force: bool = False, checkpoint: bool = False,
        data: bool = False, **about: Any,
    ) -> Path:  # fmt: skip
        """Write the run into one zip, which `elman.load` reads; its path.

        `checkpoint`: with the state of the training; `data`: with the copies of standard input or
        of data frames that the run keeps. `about`: license, data_license, datasets, language,
        about, limits, for the model card. UserError: `path` exists, unless `force`.
        """
        pack(self.parts(checkpoint=checkpoint, data=data, **about), Path(path), force=force)
        return Path(path)

    def push_to_hub(
        self, repository: str, *, private: bool | None = None, revision: str | None = None,
        message: str = "", token: str | None = None, checkpoint: bool = False, data: bool = False,
        **about: Any,
    ) -> str:  # fmt: skip
        """Put the run into the repository `user/name` of a model hub; the address of the commit.

        `revision` is a branch; repository and branch are made if they are not there. The rest as in
        `package`. `parts` tells what would go, and what of the data is in it. UserError: the token
        may not write there; RunError: the hub cannot be reached.
        """
        at = hub.place(hub.SIGN + repository, revision)
        parts = self.parts(at.name, str(at), checkpoint=checkpoint, data=data, **about)
        return hub.push(parts, at, private=private, message=message, token=token)

    def parts(
        self, name: str = "", place: str = "RUN", *, checkpoint: bool = False, data: bool = False,
        **about: Any,
    ) -> list[Part]:  # fmt: skip
        """The files of the run that `package` and `push_to_hub` take, each with what it tells of
        the data. `name` and `place` are for the model card."""
        return parts(
            self._trained, told(self.path, about), name or name_of(self.path), place,
            checkpoint=checkpoint, data=data,
        )  # fmt: skip

    def unknown(self, text: str) -> list[str]:
        """The symbols of a text that the model does not know."""
        return self._writer().unknown(text)

    def save_state(self, cursor: Cursor | Place, path: str | Path) -> None:
        """Keep a place in a text or a piece in a file, to go on from there another time."""
        if isinstance(cursor, decode.Cursor):
            place.save(cursor, Path(path))
        else:
            place.save_in_piece(cursor, Path(path))

    def load_state(self, path: str | Path) -> Any:
        """A place that `save_state` kept: a `Cursor`, or of a model of music a `Place`. UserError
        where it is damaged or of another model."""
        if self._trained.task.compose is not None:
            return place.load_in_piece(Path(path), self._composer(), self.device)
        return place.load(Path(path), self.read(), self.device)

    def _decoding(self, values: Mapping[str, Any]) -> Task[Any, Any, Any]:
        """The task by these options of decoding. UserError where it has none."""
        task = self._trained.task
        kind = tasks.search_of(self.task)
        known = () if kind is None else tuple(field.name for field in dataclasses.fields(kind))
        for name in values:
            if name not in known:
                flag = "--" + name.replace("_", "-")
                raise UserError(f"{flag}: of no use here; the task is {self.task}")
        return task if kind is None or task.decoded is None else task.decoded(make(kind, values))

    def _composing(self, values: Mapping[str, Any]) -> Any:
        kind = tasks.composing_of(self.task)
        if kind is None:
            raise UserError(f"{self.path}: the task {self.task} does not compose")
        return make(kind, values)

    def _composition(
        self, asked: Any, prompt: str | Path = "", after: Place | None = None
    ) -> Composition:
        from elman.tasks.music.composing.prompt import read_piece

        composer = self._composer()
        if str(prompt):
            piece, told = read_piece(prompt)
            composer.told.extend(told)
            after = composer.read(piece, after)
        seed = decode.seed_of(decode.Sampling(seed=asked.seed))
        return composer.compose(asked, after or composer.begin(), seed)

    def _composer(self) -> Composer:
        run = self._trained
        if run.task.compose is None:
            raise UserError(f"{self.path}: the task {self.task} does not compose")
        return run.task.compose(self.model, run.preprocessing, run.options, self.device)

    def _writer(self) -> Writer:
        run = self._trained
        if run.task.writer is None:
            raise UserError(f"{self.path}: the task {self.task} does not write")
        return run.task.writer(self.model, run.preprocessing, run.options, self.device)
