"""REST over the TechDocs gRPC contract."""
