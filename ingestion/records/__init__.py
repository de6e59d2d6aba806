"""What a provider says → contract records, and back to what was printed. Pure."""
