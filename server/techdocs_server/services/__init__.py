"""Use cases over ports and domain."""
