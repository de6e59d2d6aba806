"""`python -m stack.java.jars_lock`: resolves `ivy.xml` and writes `jars.lock`. For a maintainer who changes a version."""

import tempfile
from pathlib import Path

import typer

from stack.java.ivy import retrieve
from stack.java.jars import CONFS, LOCK, Jar, sha256_of
from stack.java.runtime import find_java

HEADER = "# Every jar, with its checksum: python -m stack.java.jars_lock writes this from ivy.xml.\n"


def locked(conf: str, work: Path) -> list[Jar]:
    """The jars that a configuration resolves to. The cache's folders tell each one's organisation and name."""
    retrieve(find_java(work / "java"), LOCK.with_name("ivy.xml"), conf, work / conf, work)
    found = []
    for path in sorted((work / conf).iterdir()):
        cached = next((work / "cache").glob(f"*/*/*/{path.name}"))
        organisation, name = cached.parts[-4], cached.parts[-3]
        revision = path.name.removeprefix(f"{name}-").removesuffix(".jar")
        found.append(Jar(conf, organisation, name, revision, sha256_of(path)))
    return found


def main() -> None:
    lines = []
    for conf in CONFS:
        with tempfile.TemporaryDirectory() as work:
            lines += [jar.line() for jar in locked(conf, Path(work))]
    LOCK.write_text(HEADER + "\n".join(lines) + "\n")
    typer.echo(f"{len(lines)} jars in {LOCK.name}")


if __name__ == "__main__":
    main()
