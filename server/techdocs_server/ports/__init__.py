"""What the services need from the world, as protocols whose docstrings are the contract."""
