"""The embedded platform: finds or brings Java, Kafka and PostgreSQL; starts, watches and stops every process."""
