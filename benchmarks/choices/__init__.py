"""Small paired benchmarks that decide the libraries of the hot path: `python -m benchmarks.choices [PART ...]`."""
