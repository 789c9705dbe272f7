"""Implementations of Spool."""
