"""The instance as columns of figures: nodes, runs, links, rules, and which nodes dominate others."""
