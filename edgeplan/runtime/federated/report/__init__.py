"""The run's report: predicted beside measured, as JSON values and as a table."""
