"""The time of each step of `./candlestream up`: on an empty home, and again after `down`.

    python -m bench.up [--runs 3]

The environment stands already (the launcher's own step is printed by the first `up` of a clone); jars are downloaded anew for
the empty home. Prints the median seconds of each step.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
from pathlib import Path

REPO = Path(__file__).parents[1]


def command(home: Path, *words: str) -> None:
    done = subprocess.run(
        [str(REPO / "candlestream"), *words, "--home", str(home)], cwd=REPO, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def up(home: Path) -> dict[str, float]:
    """Starts the platform and gives the seconds of its steps, with the total."""
    command(home, "up", "--source", "simulator")
    steps = json.loads((home / "logs" / "up-steps.json").read_text())
    return steps["steps_s"] | {"total": steps["total_s"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    runs: dict[str, list[dict[str, float]]] = {"empty home": [], "after down": []}
    for _ in range(parser.parse_args().runs):
        with tempfile.TemporaryDirectory(prefix="candlestream-bench-") as folder:
            Path(folder).chmod(0o755)
            home = Path(folder) / "home"
            for kind in runs:
                try:
                    runs[kind].append(up(home))
                finally:
                    command(home, "down")
    for kind, times in runs.items():
        print(kind)
        for step in times[0]:
            print(f"  {step:<20}{statistics.median(run.get(step, 0.0) for run in times):8.1f} s")


if __name__ == "__main__":
    main()
