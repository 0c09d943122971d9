"""The controller itself, as a policy among the others."""

from __future__ import annotations

from benchmarks.rivals.segment_scheduling.policy import Decided
from edgeplan.models.segment_scheduling import Gains, Queues, SegmentScheduling
from edgeplan.solvers.segment_scheduling.controller import Controller


class Dssda:
    """The controller.

    Parameters
    ----------
    problem
        The instance.
    gap
        Relative gap of every slot.
    """

    def __init__(self, problem: SegmentScheduling, gap: float) -> None:
        self._controller = Controller(problem, gap=gap)

    def decide(self, gains: Gains, queues: Queues, until: float) -> Decided:
        """Decide; the queues met are the controller's own."""
        assert queues == self._controller.queues, "the controller and the judge differ in a queue"
        decision = self._controller.step(gains, until=until)
        return Decided(decision.plan, decision.gap)

    def notes(self) -> list[str]:
        """Say nothing."""
        return []
