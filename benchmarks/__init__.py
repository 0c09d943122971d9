"""Benchmarks, run by hand; README.md says what each script measures."""
