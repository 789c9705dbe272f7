"""Implementations of ReuseStates."""
