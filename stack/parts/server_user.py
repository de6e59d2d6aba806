"""The user that PostgreSQL runs as: it refuses root, so root hands it to `nobody`."""

import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path

from stack.errors import Exit, StackError

NAME = "nobody"


@dataclass(frozen=True, slots=True)
class ServerUser:
    """Another user's identity. `reads_all`: a folder on the way is closed to that user, so the right to pass comes along."""

    uid: int
    gid: int
    reads_all: bool

    def command(self, command: list[str]) -> list[str]:
        """The command as this user."""
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            sentence = (
                "PostgreSQL does not run as root: run as an ordinary user, or install setpriv (package util-linux)"
            )
            raise StackError(Exit.POSTGRES, sentence)
        options = [f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups"]
        if self.reads_all:
            # access(2) forgets capabilities of whoever is not root, unless this bit is set; initdb asks it.
            options += ["--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
        return [setpriv, *options, "--", *command]

    def own(self, folder: Path) -> None:
        """Gives the folder and all in it to this user."""
        os.chown(folder, self.uid, self.gid)
        for root, folders, files in os.walk(folder):
            for name in (*folders, *files):
                os.chown(os.path.join(root, name), self.uid, self.gid, follow_symlinks=False)


def server_user(*paths: Path) -> ServerUser | None:
    """Whom PostgreSQL runs as: None is the present user; root gives `nobody`, who must reach all `paths`."""
    if os.geteuid() != 0:
        return None
    try:
        user = pwd.getpwnam(NAME)
    except KeyError as error:
        sentence = f"PostgreSQL does not run as root and there is no user {NAME}: run as an ordinary user"
        raise StackError(Exit.POSTGRES, sentence) from error
    return ServerUser(user.pw_uid, user.pw_gid, reads_all=not all(passable(path) for path in paths))


def passable(path: Path) -> bool:
    """Whether any user may pass through every folder above `path`. Those not made yet will be open."""
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents if parent.exists())
