"""Measurements as ratios against a peer in the same run. Each module is one subject: ``python -m benchmarks.serve``."""
