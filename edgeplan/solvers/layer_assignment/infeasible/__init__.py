"""That no plan exists: second reasons, and smallest conflicts of limits."""
