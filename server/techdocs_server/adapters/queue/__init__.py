"""Implementations of BuildQueue."""
