"""Java and what runs on it: the runtime, the jars by the lock, Spark's classes read once."""
