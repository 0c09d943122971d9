"""One figure per file; each turns plain data into inline SVG."""
