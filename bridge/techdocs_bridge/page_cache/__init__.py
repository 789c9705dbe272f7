"""Answers that are given again without asking the server, as long as they are certain to be what it would answer."""
