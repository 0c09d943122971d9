"""Changes of an instance, and what they would buy."""
