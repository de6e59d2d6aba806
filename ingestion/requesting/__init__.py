"""How requests to a provider are spent: one budget for all processes, a breaker for each host, retries by class of error."""
