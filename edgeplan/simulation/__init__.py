"""Play a plan over many rounds, with noise and with nodes that leave: what its figures become.

Plans of any size are played, all rounds of a chunk at once in arrays. Without noise and churn a round takes
what the problem predicts: exactly so in the serial schedule, in segment_scheduling and in sparse_update. Of a
pipeline the passes and transfers of every micro-batch are played.
"""

from edgeplan.simulation.settings import Churn as Churn
from edgeplan.simulation.settings import Jitter as Jitter
from edgeplan.simulation.settings import SimulationSettings as SimulationSettings
from edgeplan.simulation.simulating import played as played
from edgeplan.simulation.simulating import replay_of as replay_of
from edgeplan.simulation.simulating import simulate as simulate
