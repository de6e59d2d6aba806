"""Log files: a limit on each, and the last line that tells something."""

import json
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

MAX_BYTES = 8 << 20
KEPT_DAYS = 3
DAY_S = 86_400
TAIL_BYTES = 16_384
NOISE = ("}", ")", "^", "warnings.warn", "(Background on this error")


def rotate(folder: Path, max_bytes: int = MAX_BYTES) -> None:
    """Copies a full log aside and empties it. Processes append, so they go on at its beginning; one old copy is kept."""
    for path in folder.glob("*.log"):
        if path.stat().st_size > max_bytes:
            shutil.copyfile(path, path.with_name(path.name + ".1"))
            with path.open("r+b") as file:
                file.truncate(0)


def remove_old(folder: Path, now_s: float, days: int = KEPT_DAYS) -> None:
    """Removes files of a tree that nobody wrote to for some days, and the folders that are empty then."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_symlink() or (path.is_file() and now_s - path.stat().st_mtime > days * DAY_S):
            path.unlink(missing_ok=True)
        elif path.is_dir() and not any(path.iterdir()) and now_s - path.stat().st_mtime > DAY_S:
            path.rmdir()


def tail(path: Path, lines: int) -> list[str]:
    """The last lines of a file, however long it is."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(0, 2)
        size = file.tell()
        file.seek(max(0, size - TAIL_BYTES * max(1, lines // 50)))
        return file.read().decode(errors="replace").splitlines()[-lines:]


def last_words(path: Path) -> str:
    """The last line of a log that says something: a structured line's event and error, else the text."""
    for line in reversed(tail(path, 40)):
        text = line.strip()
        if text and not text.startswith(NOISE):
            return readable(text)[:300]
    return ""


def readable(line: str) -> str:
    """A structured line as a person reads it; any other line as it is."""
    if not line.startswith("{"):
        return line
    try:
        fields = json.loads(line)
    except ValueError:
        return line
    said = [str(fields.get("event", ""))]
    said += [f"{name}={fields[name]}" for name in ("error", "detail", "exception") if fields.get(name)]
    return " ".join(said).replace("\n", " ")


def follow(paths: Iterable[Path], poll_s: float = 0.3) -> Iterable[tuple[Path, str]]:
    """New lines of several files as they come, from their present ends; files may be emptied meanwhile."""
    places = {path: path.stat().st_size if path.exists() else 0 for path in paths}
    while True:
        for path, place in places.items():
            size = path.stat().st_size if path.exists() else 0
            if size < place:
                place = 0
            if size > place:
                with path.open("rb") as file:
                    file.seek(place)
                    chunk = file.read()
                whole = chunk.rfind(b"\n") + 1
                places[path] = place + whole
                for line in chunk[:whole].decode(errors="replace").splitlines():
                    yield path, line
        time.sleep(poll_s)
