"""Implementations of Catalog."""
