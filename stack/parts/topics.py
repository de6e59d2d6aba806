"""Creates the topics of `market.topics` on the broker, and brings their retention in line."""

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

from market.topics import TOPICS, Topic

TIMEOUT_S = 30.0


def settings(topic: Topic) -> dict[str, str]:
    return {
        "retention.ms": str(topic.retention_ms),
        "retention.bytes": str(topic.retention_bytes),
        "cleanup.policy": "delete",
        "min.insync.replicas": "1",
    }


def ensure_topics(bootstrap: str, prefix: str, topics: tuple[Topic, ...] = TOPICS) -> list[str]:
    """Makes what is missing and returns its names. A topic that is there keeps its partitions and gets the retention."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 3})
    wanted = {topic.full_name(prefix): topic for topic in topics}
    requests = [
        NewTopic(name, num_partitions=topic.partitions, replication_factor=1, config=settings(topic))
        for name, topic in wanted.items()
    ]
    made, there = [], []
    for name, future in admin.create_topics(requests, operation_timeout=TIMEOUT_S).items():
        try:
            future.result()
            made.append(name)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
            there.append(name)
    resources = [
        ConfigResource(
            ResourceType.TOPIC,
            name,
            incremental_configs=[
                ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
                for key, value in settings(wanted[name]).items()
            ],
        )
        for name in there
    ]
    if resources:
        for future in admin.incremental_alter_configs(resources).values():
            future.result()
    return made
