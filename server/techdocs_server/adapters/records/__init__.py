"""Implementations of SiteRecords and BuildRecords."""
