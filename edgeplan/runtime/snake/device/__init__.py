"""What one process does on its own: hold the network, train, measure, send and receive."""
