"""Plan the training of neural networks on edge devices."""
