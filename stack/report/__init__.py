"""What a platform says of itself, for a person and for a program."""
