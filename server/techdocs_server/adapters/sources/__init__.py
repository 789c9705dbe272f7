"""Implementations of SourcePreparer."""
