"""The live service: a feed's quotes to Kafka, and what it does about its own outages."""
