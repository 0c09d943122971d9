"""Rules by which others choose what a device updates: each fills its own memory, come what may."""

from benchmarks.rivals.sparse_update.bias_only import BiasOnly
from benchmarks.rivals.sparse_update.elastic_trainer import ElasticTrainer
from benchmarks.rivals.sparse_update.evolution import Evolution
from benchmarks.rivals.sparse_update.last_layers import LastLayers
from benchmarks.rivals.sparse_update.per_byte import PerByte
from benchmarks.rivals.sparse_update.rule import Rule

RULES: tuple[Rule, ...] = (LastLayers(), BiasOnly(), PerByte(), ElasticTrainer(), Evolution())
