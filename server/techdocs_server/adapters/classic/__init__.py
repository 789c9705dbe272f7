"""Buckets that Backstage's own tools fill."""
