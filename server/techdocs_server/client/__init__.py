"""The command's own client of a server: synchronous, over the contract and nothing else of the service."""
