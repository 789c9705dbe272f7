"""Implementations of Workspaces."""
