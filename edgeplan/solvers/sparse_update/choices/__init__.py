"""What classes of devices may do, as arrays, and what each does best by itself."""
