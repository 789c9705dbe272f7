"""Implementations of BlobStore."""
