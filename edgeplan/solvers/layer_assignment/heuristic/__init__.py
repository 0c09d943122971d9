"""Plans without proof: beams, descents, and old plans repaired."""
