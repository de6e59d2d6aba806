"""One Kafka node (KRaft: broker and controller in one process) on 127.0.0.1."""

import base64
import os
import shutil
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from stack.errors import Exit, StackError
from stack.java.runtime import Java
from stack.ports import HOST

NODE_ID = 1
HEAP = ("-Xms128m", "-Xmx384m")
# The quick compiler alone: a start costs half the processor time, and the broker's hot paths are the kernel's and native code.
COMPILER = "-XX:TieredStopAtLevel=1"
JVM = (*HEAP, COMPILER, "-XX:+UseSerialGC", "-XX:MaxMetaspaceSize=128m", "-Xss512k", "-Djava.awt.headless=true")
LOGGING = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "-Dorg.slf4j.simpleLogger.showThreadName=false",
    "-Dorg.slf4j.simpleLogger.levelInBrackets=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server=info",
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config=warn",
)
SERVER = "kafka.Kafka"
STORAGE_TOOL = "kafka.tools.StorageTool"


@dataclass(frozen=True, slots=True)
class KafkaNode:
    """Where a node's jars, data and configuration are, and its ports."""

    java: Java
    jars: list[Path]
    data_dir: Path
    conf_dir: Path
    port: int
    controller_port: int

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def is_made(self) -> bool:
        return (self.data_dir / "meta.properties").exists()

    def properties(self, data_dir: Path) -> str:
        """server.properties. Topics are made by the platform alone; segments are small so that retention bites on a laptop."""
        values = {
            "process.roles": "broker,controller",
            "node.id": NODE_ID,
            "controller.quorum.voters": f"{NODE_ID}@{HOST}:{self.controller_port}",
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{HOST}:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": data_dir,
            "auto.create.topics.enable": "false",
            "num.partitions": 1,
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            "log.segment.bytes": 64 << 20,
            "log.roll.hours": 6,
            "log.retention.check.interval.ms": 60_000,
            "num.network.threads": 2,
            "num.io.threads": 4,
            "log.cleaner.dedupe.buffer.size": 8 << 20,
            "message.max.bytes": 1 << 20,
        }
        return "".join(f"{name}={value}\n" for name, value in values.items())

    def write_properties(self) -> Path:
        self.conf_dir.mkdir(parents=True, exist_ok=True)
        path = self.conf_dir / "server.properties"
        path.write_text(self.properties(self.data_dir))
        return path

    def format(self) -> None:
        """Makes the log folder aside and renames it, so that an interrupted start leaves nothing half-made."""
        aside = self.data_dir.with_name(self.data_dir.name + ".new")
        shutil.rmtree(aside, ignore_errors=True)
        self.conf_dir.mkdir(parents=True, exist_ok=True)
        properties = self.conf_dir / "format.properties"
        properties.write_text(self.properties(aside))
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = self.java_command(STORAGE_TOOL, "format", f"--cluster-id={cluster_id}", "-c", str(properties))
        done = subprocess.run(command, capture_output=True, check=False, text=True)
        if done.returncode:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise StackError(Exit.SERVICE_FAILS, f"Kafka's storage could not be formatted: {' '.join(last)}")
        aside.rename(self.data_dir)

    def command(self) -> list[str]:
        """The node in the foreground; SIGTERM is its controlled shutdown."""
        return self.java_command(SERVER, str(self.conf_dir / "server.properties"))

    def java_command(self, main_class: str, *arguments: str) -> list[str]:
        classpath = os.pathsep.join(str(jar) for jar in self.jars)
        return [self.java.program, *JVM, *LOGGING, "-cp", classpath, main_class, *arguments]

    def answers(self, timeout_s: float = 2.0) -> bool:
        """Whether it hands out metadata."""
        return broker_answers(self.bootstrap, timeout_s)


def broker_answers(bootstrap: str, timeout_s: float) -> bool:
    # A fresh client each time: librdkafka's own would keep reconnecting, and log, while the broker is away.
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0, "socket.timeout.ms": int(timeout_s * 1000)})
    try:
        return bool(client.list_topics(timeout=timeout_s).brokers)
    except KafkaException:
        return False
