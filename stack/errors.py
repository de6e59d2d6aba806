"""What can go wrong on a person's machine: one sentence with its remedy, and an exit code of its own."""

import errno
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of `candlestream` (docs/runbook.md lists them for people). 10 to 15 are the launcher's."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_READY = 3
    JAVA = 20
    JARS_UNREACHABLE = 21
    JARS_CHANGED = 22
    PORT = 23
    SERVICE_FAILS = 24
    NO_CANDLE = 25
    OTHER_SOURCE = 26
    HOME = 27
    POSTGRES = 28
    DISK = 29
    INTERRUPTED = 130


class StackError(Exception):
    """Ends the command: `sentence` says what is wrong and what to do, `code` is the exit code."""

    def __init__(self, code: Exit, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


def of_the_system(error: OSError) -> StackError:
    """What the operating system refused, in a sentence: a full disk is a person's to mend, and so is a closed folder."""
    where = f": {error.filename}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StackError(Exit.DISK, f"the disk is full{where}; free some, then try again: what is half-made is redone")
    if isinstance(error, PermissionError):
        return StackError(Exit.HOME, f"not allowed{where}; run as the owner, or choose another folder with --home")
    return StackError(Exit.FAILED, f"{error.strerror or error!r}{where}")
