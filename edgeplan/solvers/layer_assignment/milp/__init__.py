"""The same steps as a mixed-integer programme through PuLP."""
