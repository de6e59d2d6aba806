"""`test`: the tests by what they need, on parts that they start themselves."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from stack.home import REPO
from stack.platform import DROPPED

PARTS = ("unit", "stream", "platform")
# Unit tests share nothing. A process for each group of folders imports what the group needs and no more, which costs less than
# spreading every folder over all cores; one more than two cores fills the waits of the others. What starts servers waits for them
# most of the time: three processes with servers of their own share the cores.
GROUPS = {
    "unit": (("bench", "contracts", "market"), ("ingestion", "simulator", "sql", "dags")),
    "stream": (("test_chaos.py", "test_chosen.py", "test_exchange_faults.py"), ("ingestion",)),
    "platform": (("browser",),),
}


def run_tests(parts: list[str], *, long: bool, extra: list[str]) -> int:
    """pytest over the folders of the parts, one part after another, so that a broken unit is known in seconds.

    The unit tests alone are for every save of a file: without those that take a second and more each (`slow`), which the whole has.
    Returns the first code that is not 0; a part without a test for the selection is fine when another has some.
    """
    variables = {name: value for name, value in os.environ.items() if not name.startswith(DROPPED)}
    variables |= {"PYTHONPATH": str(REPO), "PYTHONPYCACHEPREFIX": str(REPO / ".venv" / "pycache")}
    left_out = [] if long else ["not long"]
    if parts == ["unit"] and not long and not extra:
        left_out.append("not slow")
    selection = ["-m", " and ".join(left_out)] if left_out else []
    nothing_collected = 5
    codes: list[int] = []
    with quick_starts(variables) if parts != ["unit"] else contextlib.nullcontext():
        for part in parts:
            commands = [[sys.executable, "-m", "pytest", *paths, *selection, *extra] for paths in together(part)]
            codes += side_by_side(commands, variables)
            bad = [code for code in codes if code not in (0, nothing_collected)]
            if bad:
                return bad[0]
    return 0 if 0 in codes else nothing_collected


@contextlib.contextmanager
def quick_starts(variables: dict[str, str]) -> Iterator[None]:
    """Has the archive of Spark's classes made beside the first tests, where there is none: dozens of starts follow."""
    command = [sys.executable, "-m", "stack.java.classes"]
    with subprocess.Popen(command, cwd=REPO, env=variables, start_new_session=True) as making:
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(making.pid, signal.SIGTERM)


def together(part: str) -> list[list[str]]:
    """The folders and files of a part, one list for each process."""
    top = REPO / "tests" / part
    names = sorted(
        path.name for path in top.iterdir() if path.name.startswith("test_") or any(path.glob("**/test_*.py"))
    )
    rest = tuple(name for name in names if not any(name in group for group in GROUPS[part]))
    return [[f"tests/{part}/{name}" for name in group if name in names] for group in (*GROUPS[part], rest)]


def side_by_side(commands: list[list[str]], variables: dict[str, str]) -> list[int]:
    """Runs commands at the same time: the first speaks as it goes, the others when they are done."""
    first, *others = commands
    with contextlib.ExitStack() as stack:
        quiet = []
        for command in others:
            said = stack.enter_context(tempfile.TemporaryFile())
            process = subprocess.Popen(command, cwd=REPO, env=variables, stdout=said, stderr=subprocess.STDOUT)
            quiet.append((stack.enter_context(process), said))
        codes = [subprocess.run(first, check=False, cwd=REPO, env=variables).returncode]
        for process, said in quiet:
            codes.append(process.wait())
            said.seek(0)
            sys.stdout.write(said.read().decode(errors="replace"))
            sys.stdout.flush()
    return codes
