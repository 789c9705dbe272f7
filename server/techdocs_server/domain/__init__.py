"""Values and rules of documentation sites. No I/O, no waiting."""
