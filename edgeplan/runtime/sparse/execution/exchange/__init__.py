"""How slices of parameters get from device to device: links, collectives, and what travels in them."""
