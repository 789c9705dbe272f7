"""The steps. Each is frozen once released: a change is a new step."""
