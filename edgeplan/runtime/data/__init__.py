"""Images and text to train on, and their split over the nodes."""
