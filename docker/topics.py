"""Makes the topics of `market.topics` on the broker, as the embedded platform does."""

import os

from stack.parts.topics import ensure_topics

if __name__ == "__main__":
    ensure_topics(os.environ["CANDLESTREAM_KAFKA_BOOTSTRAP"], os.environ["CANDLESTREAM_TOPIC_PREFIX"])
