"""What a sparse update trains: a small network on a task that it does not know yet.

The network is transformers' MobileNetV2 at width 0.35, for images of 32 x 32 by default: it has all 53 layers
and 0.4 million parameters, and a step with 8 images takes 15 to 35 ms on a core. The images are
scikit-learn's digits, 8 x 8 grey ones, enlarged by repeating pixels. Everything follows from a few settings
and a seed, and nothing is downloaded::

    workload = Workload(WorkloadSettings(num_devices=7, seed=0))
    module = workload.start()
    images, labels = workload.batch(device=0, step=0, batch_size=8)
    workload.evaluate(module).accuracy

Sparse update fine-tunes a network that was trained elsewhere. Here it was trained on half of the training
images as they are; the task is to read the other half **turned by a quarter**. Of turned digits the start
reads no more than one would guess (12 % with seed 0) and after 240 dense steps with 56 images each nine in
ten: features are worth keeping, and most layers have something to learn.

Batch norms are frozen in a sparse update. So after the first training their statistics are set to those of
all its images, and divided out into the convolutions (`edgeplan.runtime.sparse.workload.settling`): the
network computes the same, and gradients have the size that usual learning rates are for.
"""

from __future__ import annotations

from edgeplan.runtime.learning.training import Batch as Batch
from edgeplan.runtime.learning.training import Score as Score
from edgeplan.runtime.sparse.workload.importance import Importance as Importance
from edgeplan.runtime.sparse.workload.importance import importance_of as importance_of
from edgeplan.runtime.sparse.workload.note import is_start_of as is_start_of
from edgeplan.runtime.sparse.workload.note import notes_of as notes_of
from edgeplan.runtime.sparse.workload.note import settings_in as settings_in
from edgeplan.runtime.sparse.workload.scoring import scores_of as scores_of
from edgeplan.runtime.sparse.workload.settings import WorkloadSettings as WorkloadSettings
from edgeplan.runtime.sparse.workload.workload import Workload as Workload
