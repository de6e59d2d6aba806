"""A scripted bad day: two platforms over the same sessions of the simulated exchange, one of them in trouble."""
