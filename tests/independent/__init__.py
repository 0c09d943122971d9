"""A judge of layer_assignment written from the specification alone; nothing in here imports edgeplan."""
