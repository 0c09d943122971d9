"""Why an instance has no plan; what holds a plan back, and what a change would buy."""

from edgeplan.solvers.layer_assignment.explanation.explain import explain as explain
