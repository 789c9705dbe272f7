"""Interceptors, each one concern of every call."""
