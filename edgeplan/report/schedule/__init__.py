"""A schedule of slots as a page reads it: its metrics, its plan, its instance, and what follows from them."""
