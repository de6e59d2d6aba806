"""What a start of the stream does before its first batch."""
