"""All that the routes of one process share."""

from __future__ import annotations

from dataclasses import dataclass

from elman.serve.contract import Refused, Sessions
from elman.serve.desk import Desk
from elman.serve.gate import Gate
from elman.serve.measures import Measures
from elman.serve.models import Models
from elman.serve.options import Limits
from elman.serve.traffic import Traffic


@dataclass(frozen=True)
class Serving:
    """Models, sessions, limits, and who waits for what. `sessions` is None where nothing writes."""

    models: Models
    sessions: Sessions | None
    limits: Limits
    measures: Measures
    traffic: Traffic
    texts: Gate
    desk: Desk

    def kept(self) -> Sessions:
        """The sessions. Refused where no model can have any."""
        if self.sessions is None:
            raise Refused(404, "no_sessions", "no model here writes text, so none has sessions")
        return self.sessions

    @property
    def waiting(self) -> int:
        """Requests that wait for their turn."""
        return self.texts.waiting + self.desk.gate.waiting
