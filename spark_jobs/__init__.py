"""The Spark jobs: the stream that turns events into bars and indicators in PostgreSQL."""
