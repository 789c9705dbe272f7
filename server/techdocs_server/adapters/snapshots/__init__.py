"""Implementations of SiteSnapshots."""
