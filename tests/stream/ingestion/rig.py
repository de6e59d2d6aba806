"""Ingestion under test: its environment, its commands as processes of their own, and what they sent."""

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
from confluent_kafka import Consumer, KafkaException, TopicPartition

from market.contracts import Record, decode
from tests.embedded import REPO, Database
from tests.stream.rig import until


@dataclass
class Ingestion:
    """The environment of one ingestion, and what a test does with it and asks of it."""

    environment: dict[str, str]
    database: Database
    bootstrap: str
    prefix: str
    home: Path

    def command(self, *arguments: str, **environment: str) -> tuple[int, dict[str, Any], str]:
        """(exit code, summary, log) of a one-shot command."""
        exit_code, said, log = self.run(*arguments, **environment)
        last = said.strip().rpartition("\n")[2]
        return exit_code, json.loads(last) if last else {}, log

    def run(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        """(exit code, stdout, stderr) of a command that is for people."""
        ended = subprocess.run(
            [sys.executable, "-m", "ingestion", *arguments],
            cwd=REPO,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        return ended.returncode, ended.stdout, ended.stderr

    @contextmanager
    def live(self) -> Iterator[subprocess.Popen[bytes]]:
        log = self.home / "live.log"
        command = [sys.executable, "-m", "ingestion", "live"]
        with log.open("ab") as out:
            process = subprocess.Popen(command, cwd=REPO, env=self.environment, stdout=out, stderr=out)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def sql(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(self.database.writer)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            rows = cursor.fetchall() if cursor.description else []
        connection.close()
        return rows

    def records(self, topic: str) -> dict[int, list[Record]]:
        """All records of a topic, by partition and in order."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "test", "enable.auto.commit": False})
        try:
            return self._records(consumer, self.prefix + topic)
        finally:
            consumer.close()

    def _records(self, consumer: Consumer, topic: str) -> dict[int, list[Record]]:
        partitions = [
            TopicPartition(topic, number, 0) for number in consumer.list_topics(topic, 10).topics[topic].partitions
        ]
        wanted = sum(until(lambda: self._ends(consumer, partitions), "the topic has a leader", 30))
        consumer.assign(partitions)
        found: dict[int, list[Record]] = defaultdict(list)
        while wanted > 0:
            for message in consumer.consume(min(wanted, 5_000), 5.0):
                found[message.partition()].append(decode(message.value()))
                wanted -= 1
        return found

    def _ends(self, consumer: Consumer, partitions: list[TopicPartition]) -> list[int]:
        """The partitions' ends, none while a topic that was just made has no leader."""
        try:
            return [consumer.get_watermark_offsets(partition, 10)[1] for partition in partitions]
        except KafkaException:
            return []

    def events(self, kind: type[Record]) -> list[Any]:
        return self.of_kind("market.events.v1", kind)

    def history(self, kind: type[Record]) -> list[Any]:
        return self.of_kind("market.history.v1", kind)

    def of_kind(self, topic: str, kind: type[Record]) -> list[Any]:
        return [record for records in self.records(topic).values() for record in records if type(record) is kind]
