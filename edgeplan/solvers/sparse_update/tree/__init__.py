"""The search for plans and proofs by prices: of few devices a tree, of many a descent."""
