"""Implementations of SiteFiles."""
