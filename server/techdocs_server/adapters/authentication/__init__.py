"""Telling who calls by tokens, and proving who calls to others."""
