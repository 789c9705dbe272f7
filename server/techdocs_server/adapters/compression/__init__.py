"""Implementations of Compressor."""
