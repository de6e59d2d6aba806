"""`down` and `reset`."""

import shutil
import time

from stack.errors import Exit, StackError
from stack.home import Home
from stack.java.jars import CONFS
from stack.supervision import control, leftovers

LIMIT_S = 120.0


def down(home: Home) -> str:
    """Stops everything of a home and waits until it is gone. Says what it found."""
    if not home.path.exists():
        return "nothing was running"
    try:
        control.call(home, "shutdown", timeout_s=LIMIT_S)
    except StackError:
        # It is gone, or so broken that it must go: what it ran is found without it.
        control.kill_supervisor(home)
        left = leftovers.clear(home)
        control.forget_supervisor(home)
        return f"ended {left} processes that a killed supervisor left behind" if left else "nothing was running"
    limit = time.monotonic() + LIMIT_S
    while control.is_running(home):
        if time.monotonic() > limit:
            raise StackError(Exit.FAILED, f"the supervisor does not end: look at {home.logs / 'supervisor.log'}")
        time.sleep(0.05)
    # A task that Airflow had just begun may outlive the scheduler by a moment.
    leftovers.clear(home)
    return "everything is stopped"


def reset(home: Home, *, everything: bool) -> str:
    """Stops and deletes what the platform made. Jars stay unless `everything`. Other files in the folder are not touched."""
    is_home = home.state_file.exists() or home.secrets.exists()
    # An earlier `reset` may have left the jars alone in the folder; no other folder of a stranger's is ours to delete.
    has_jars = any((home.jars / conf).exists() for conf in CONFS)
    if not is_home and not (everything and has_jars):
        return f"nothing to delete in {home.path}"
    down(home)
    for path in home.made(with_jars=everything) if is_home else [home.jars]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    if not any(home.path.iterdir()):
        home.path.rmdir()
    return f"{home.path} is cleared" + ("" if everything else " (downloaded jars are kept; --all deletes them too)")
