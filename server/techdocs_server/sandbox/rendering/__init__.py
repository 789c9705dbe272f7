"""Rendering only what changed, on all processors; the result is byte for byte that of MkDocs."""
