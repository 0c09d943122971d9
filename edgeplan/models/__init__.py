"""The formal problems: data, plan, objective and violations. No solver and no torch in here."""
