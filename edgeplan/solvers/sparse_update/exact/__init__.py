"""The integer programme on what prices leave: CP-SAT and PuLP's engines."""
