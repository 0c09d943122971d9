"""Equal nodes as kinds, kinds as columns, and how columns split."""
