"""Implementations of VariantStore."""
