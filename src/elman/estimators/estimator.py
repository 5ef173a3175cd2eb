"""What the estimators share: parameters by name, a seed, and a fit that is a run of a task."""

from __future__ import annotations

import tempfile
from abc import ABC
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from torch import nn

from elman.errors import UserError
from elman.estimators.parameters import Parameters
from elman.run import prepare
from elman.run.clock import Clock
from elman.run.job import Job
from elman.run.options import parse
from elman.run.train import train

if TYPE_CHECKING:
    from sklearn.utils import Tags


class Estimator(Parameters, ABC):
    """A dataclass whose fields are its parameters: options of a task, and `random_state`."""

    random_state: int | np.random.RandomState | None
    model_: nn.Module
    n_iter_: int

    _estimator_type: ClassVar[Literal["classifier", "regressor"] | None]

    def __sklearn_tags__(self) -> Tags:
        from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags

        kind = self._estimator_type
        return Tags(
            estimator_type=kind,
            target_tags=TargetTags(required=kind is not None),
            transformer_tags=None,
            classifier_tags=ClassifierTags() if kind == "classifier" else None,
            regressor_tags=RegressorTags() if kind == "regressor" else None,
            input_tags=InputTags(three_d_array=True, string=kind == "classifier"),
        )

    def _train(self, task: str, read: Callable[[Any], Any]) -> Job:
        """Train on the data set that `read` makes of the task's options; sets `model_`, `n_iter_`.

        The run folder is gone afterwards.
        """
        with tempfile.TemporaryDirectory(prefix="elman-") as folder:
            chosen = {k: v for k, v in self.get_params().items() if v is not None}
            chosen |= {"run": Path(folder, "run"), "seed": self._seed(), "sample": 0}
            chosen.pop("random_state", None)
            own, how = parse(task, chosen)
            dataset = read(own)
            job = prepare.new(
                task, ["X"], own, how, Clock(None), lambda line: None, dataset=dataset
            )
            for _ in train(job):
                pass
            self.model_ = prepare.load_model(prepare.trained(job.folder.path), job.device)
        if job.task.calibrate is not None:
            job.task.calibrate(self.model_, job.dataset, job.options, job.device)
        assert how.epochs is not None
        self.n_iter_ = how.epochs
        return job

    def _check_fitted(self) -> None:
        if not hasattr(self, "model_"):
            name = type(self).__name__
            raise UserError(f"this {name} has learnt nothing yet: fit it first")

    def _seed(self) -> int:
        if isinstance(self.random_state, np.random.RandomState):
            return int(self.random_state.randint(2**31))
        if self.random_state is None:
            return int(np.random.default_rng().integers(2**31))
        return int(self.random_state)
