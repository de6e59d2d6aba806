"""`faults`: what goes wrong at this home's simulated exchange, on purpose. The exchange's own command line does the work."""

import subprocess
from pathlib import Path

from stack.errors import Exit, StackError
from stack.home import REPO, open_home
from stack.platform import PYTHON, open_platform


def faults(home: Path | None, arguments: list[str]) -> int:
    """Runs `python -m simulator faults …` against the home's exchange and gives its exit code. Raises `StackError`."""
    platform = open_platform(open_home(home))
    if platform.state.source != "simulator":
        raise StackError(
            Exit.OTHER_SOURCE,
            f"this home is fed by {platform.state.source}, where faults come by themselves; try them on a home with `up --source"
            " simulator --home DIR`",
        )
    variables = platform.environment() | {"CANDLESTREAM_SIMULATOR_PORT": str(platform.ports["simulator"])}
    command = [str(PYTHON), "-P", "-m", "simulator", "faults", *(arguments or ["--help"])]
    return subprocess.run(command, cwd=REPO, env=variables, check=False).returncode
