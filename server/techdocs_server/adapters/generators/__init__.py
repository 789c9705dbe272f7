"""Implementations of SiteGenerator."""
