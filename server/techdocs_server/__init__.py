"""The TechDocs gRPC service: builds, publishes and serves documentation sites."""
