"""Lower bounds from cheapest walks, and the steps that they prove useless."""
