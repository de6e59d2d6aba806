"""`test`: the tests by what they need, on parts that they start themselves."""

import os
import subprocess
import sys

from stack.home import REPO
from stack.platform import DROPPED

PARTS = ("unit", "stream", "platform")
# Unit tests share nothing and are spread over the cores; the others share servers and a machine's ports.
SPREAD = {"unit": ["--numprocesses", "auto", "--dist", "loadscope"]}


def run_tests(parts: list[str], *, long: bool, extra: list[str]) -> int:
    """pytest over the folders of the parts, one after another, so that a broken unit is known in seconds.

    Returns the first code that is not 0; a part without a test for the selection is fine when another has some.
    """
    variables = {name: value for name, value in os.environ.items() if not name.startswith(DROPPED)}
    variables |= {"PYTHONPATH": str(REPO), "PYTHONPYCACHEPREFIX": str(REPO / ".venv" / "pycache")}
    nothing_collected = 5
    codes = []
    for part in parts:
        folder = f"tests/{part}"
        if not (REPO / folder).is_dir():
            continue
        selection = [] if long else ["-m", "not long"]
        command = [sys.executable, "-m", "pytest", folder, *selection, *SPREAD.get(part, []), *extra]
        codes.append(subprocess.run(command, check=False, cwd=REPO, env=variables).returncode)
        if codes[-1] not in (0, nothing_collected):
            return codes[-1]
    return 0 if 0 in codes else nothing_collected
