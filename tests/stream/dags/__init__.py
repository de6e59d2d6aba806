"""What tasks read and write in PostgreSQL."""
