"""Writing files so that a power cut leaves the old or the new content, never half of it."""

import os
import threading
from pathlib import Path


def write_atomic(path: Path, text: str, mode: int = 0o644) -> None:
    """Aside, synced, renamed. The mode holds from the first byte on, so a secret is never readable by others."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.new")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    aside.chmod(mode)
    aside.replace(path)
