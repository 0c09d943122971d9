"""Why no plan keeps a threshold: reuse, prices on scarce nodes, enumeration."""
