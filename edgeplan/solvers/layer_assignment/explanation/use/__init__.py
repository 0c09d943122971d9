"""What a plan uses of limits, nodes and links."""
