"""What a node learns with: the network, its batches and objective, and how long and large a step is here."""
