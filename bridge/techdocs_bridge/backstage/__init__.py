"""What only Backstage's own clients need."""
