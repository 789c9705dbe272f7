"""The contract's HTTP annotations, turned into routes, requests, answers and an OpenAPI document."""
