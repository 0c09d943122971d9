"""One device of a run: its replica, what a step of it takes, and its part in the rounds."""
