"""How the tables came to be, step by step, and the upgrade that goes through the steps."""
