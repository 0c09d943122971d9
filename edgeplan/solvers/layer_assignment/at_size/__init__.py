"""Serial instances with very many nodes: plans and proven bounds without a table of nodes x runs."""
