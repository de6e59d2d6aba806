"""What two sources say of the same thing, held against each other."""
