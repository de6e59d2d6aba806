"""From the provider to Kafka: the live feed, the minute poll and the backfill. Validates, limits its requests, keeps order."""
