"""Parameters by name, as scikit-learn asks for them."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from elman.errors import unknown_name

Self = TypeVar("Self", bound="Parameters")


class Parameters:
    """For a dataclass whose fields are its parameters."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name."""
        return {field.name: getattr(self, field.name) for field in _fields(self)}

    def set_params(self: Self, **params: Any) -> Self:
        """Change parameters. UserError for one that there is not."""
        known = self.get_params()
        for name, value in params.items():
            if name not in known:
                raise unknown_name("parameter", name, known)
            setattr(self, name, value)
        return self


def _fields(estimator: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(estimator)
