"""In which order a stage computes: torch.distributed.pipelining's schedules, with the plan's in-flight."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.distributed.pipelining import PipelineStage, Schedule1F1B, ScheduleGPipe
from torch.distributed.pipelining.schedules import PipelineScheduleSingle

Loss = Callable[[Tensor, Tensor], Tensor]


class PlannedOrder(Schedule1F1B):
    """One forward, one backward, with as many micro-batches in flight as equation (6) says.

    PyTorch's own lets a stage hold one micro-batch for every stage from it to the end. The plan has links
    as stages, which hold micro-batches too: ``2 (J - j + 1)``. PyTorch's also refuses fewer micro-batches
    than stages, which only leaves stages idle.

    Parameters
    ----------
    stage, num_micro_batches, loss
        As for PyTorch's.
    in_flight
        Micro-batches that this stage holds at most.
    """

    def __init__(self, stage: PipelineStage, num_micro_batches: int, loss: Loss, in_flight: int) -> None:
        PipelineScheduleSingle.__init__(self, stage, num_micro_batches, loss)
        self._num_stages = stage.stage_index + in_flight  # forwards before the first backward

    def _get_pipeline_order(self) -> None:
        """Leave out the picture of the schedule, which would be that of PyTorch's own."""


def schedule_of(
    kind: str, stage: PipelineStage, num_micro_batches: int, loss: Loss, in_flight: int
) -> PipelineScheduleSingle:
    """Return the schedule of a stage; the loss is the last stage's.

    Parameters
    ----------
    kind
        ``gpipe`` or ``1f1b``.
    stage, num_micro_batches, loss, in_flight
        As for `PlannedOrder`; with ``gpipe`` all micro-batches are in flight.
    """
    if kind == "gpipe":
        return ScheduleGPipe(stage, num_micro_batches, loss)
    return PlannedOrder(stage, num_micro_batches, loss, in_flight)
