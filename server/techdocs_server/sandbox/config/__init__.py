"""Reads an author's MkDocs configuration safely and writes a new one from an allow-list."""
