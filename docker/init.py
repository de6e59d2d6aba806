"""The first service of every `docker compose up`: decides what is decided once, and makes and hands out the secrets.

What is there already is kept. `init password NAME` shows one password; nothing else ever prints one.
"""

import json
import os
import shlex
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import structlog

from simulator.certificates import ensure_certificates
from stack import state
from stack.errors import Exit, StackError
from stack.files import write_atomic
from stack.home import Home
from stack.log import configure as configure_log
from stack.parts.airflow import USER as AIRFLOW_LOGIN
from stack.passwords import AIRFLOW, AIRFLOW_USER, DATABASE_ROLES, FERNET_KEY, READER, WRITER, reveal, secret
from stack.source import decide
from stack.state import Source, State

# Where compose mounts a volume for each kind of service; the service itself finds its own at /run/candlestream.
RUN = Path("/run/init")
# Every secret lies in the vault; what a service needs of it is copied into a volume of that service's own.
VAULT = "vault"
PGPASS = {
    f"{VAULT}/secrets": DATABASE_ROLES,
    "writer": (WRITER,),
    "reader": (READER,),
    # Airflow's tasks write the instruments that they meet.
    "airflow": (AIRFLOW, WRITER),
}
AIRFLOW_KEYS = (FERNET_KEY, "airflow_secret_key", "airflow_jwt_secret")
SOURCES = get_args(Source)

log = structlog.get_logger(service="init")


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["password"]:
        sys.stdout.write(reveal(Home(RUN / VAULT), *arguments[1:2] or [""]) + "\n")
        return
    home = Home(Path(os.environ["CANDLESTREAM_HOME"]))
    decided = decision(home, os.environ)
    state.save(home, decided)
    if decided.source == "simulator":
        ensure_certificates(home.path / "simulator", datetime.now(UTC))
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in shared_environment(home, decided).items()]
    write_atomic(home.path / "platform.env", "".join(lines))
    hand_out_secrets(RUN)
    log.info("ready", source=decided.source, reason=decided.source_reason)


def decision(home: Home, environ: Mapping[str, str]) -> State:
    """Source and seed, as kept or as asked for. Raises `StackError` where the two differ: data of two sources never mix."""
    kept = state.load(home)
    asked = environ.get("CANDLESTREAM_SOURCE", "")
    if asked not in ("", *SOURCES):
        raise StackError(Exit.USAGE, f"CANDLESTREAM_SOURCE is {asked!r}: set {' or '.join(SOURCES)}, or nothing")
    seed = environ.get("CANDLESTREAM_SIMULATOR_SEED", "")
    if seed and not seed.isdecimal():
        raise StackError(Exit.USAGE, f"CANDLESTREAM_SIMULATOR_SEED is {seed!r}: set a whole number, or nothing")
    if kept is None:
        source, reason = decide(None, asked or None)  # type: ignore[arg-type]  # checked above
        told = reason.replace("with --source", "by CANDLESTREAM_SOURCE").replace("this home", "this platform")
        decided = State(source=source, source_reason=told)
        return decided.model_copy(update={"seed": int(seed)}) if seed else decided
    if asked not in ("", kept.source) or (seed and int(seed) != kept.seed):
        sentence = (
            f"this platform is fed by {kept.source} (seed {kept.seed}) and keeps that: take CANDLESTREAM_SOURCE and "
            "CANDLESTREAM_SIMULATOR_SEED back, start another with `docker compose -p NAME up`, or throw this one's data "
            "away with `docker compose down -v`"
        )
        raise StackError(Exit.OTHER_SOURCE, sentence)
    return kept


def shared_environment(home: Home, decided: State) -> dict[str, str]:
    """What follows from the decision, for docker/entrypoint.sh."""
    variables = {
        "CANDLESTREAM_SOURCE": decided.source,
        "CANDLESTREAM_TOPIC_PREFIX": decided.topic_prefix,
        "CANDLESTREAM_DATABASE": decided.database,
    }
    if decided.source == "simulator":
        variables |= {
            "CANDLESTREAM_SIMULATOR_SEED": str(decided.seed),
            "CANDLESTREAM_FEED_PROXY": "http://simulator:8899",
            "CANDLESTREAM_FEED_CA": str(home.path / "simulator" / "ca.pem"),
        }
    return variables


def hand_out_secrets(run: Path) -> None:
    """To each service what it needs: files of mode 0600 that belong to the user of our images and of Airflow's."""
    vault = Home(run / VAULT)
    vault.secrets.mkdir(mode=0o700, exist_ok=True)
    for folder, roles in PGPASS.items():
        lines = [f"postgres:5432:*:{role}:{secret(vault, role)}\n" for role in roles]
        write_atomic(run / folder / "pgpass", "".join(lines), 0o600)
    for key in AIRFLOW_KEYS:
        write_atomic(run / "airflow" / key, secret(vault, key) + "\n", 0o600)
    login = {AIRFLOW_LOGIN: secret(vault, AIRFLOW_USER)}
    write_atomic(run / "airflow" / "simple_auth_manager_passwords.json", json.dumps(login) + "\n", 0o600)


if __name__ == "__main__":
    configure_log()
    try:
        main(sys.argv[1:])
    except StackError as error:
        sys.stderr.write(error.sentence + "\n")
        sys.exit(error.code)
