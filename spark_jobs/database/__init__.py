"""What the stream reads and writes in PostgreSQL."""
