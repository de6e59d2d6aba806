"""The steps of a start: each runs as soon as those it needs are done, and prints one line with its time."""

import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from stack.files import write_atomic

# What a step returns is said behind its line; None says nothing.
Work = Callable[[], str | None]


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    needs: tuple[str, ...]
    work: Work


class Steps:
    """Runs steps, prints their lines and remembers their times."""

    def __init__(self, console: Console, began: float) -> None:
        self.console = console
        self.began = began
        self.times_s: dict[str, float] = {}

    def done(self, name: str, took_s: float, said: str | None = None) -> None:
        self.times_s[name] = round(took_s, 2)
        told = f"  {said}".replace("\n", f"\n{'':<38}") if said else ""
        self.console.print(f"  {name:<26}{took_s:6.1f} s{told}", highlight=False, markup=False, soft_wrap=True)

    def say(self, sentence: str) -> None:
        """Of a step that is not done yet."""
        self.console.print(f"  {sentence}", highlight=False, markup=False, soft_wrap=True)

    def one(self, name: str, work: Work) -> None:
        began = time.monotonic()
        said = work()
        self.done(name, time.monotonic() - began, said)

    def all(self, steps: Iterable[Step]) -> None:
        """Runs the steps, side by side where nothing stands between them. The first error ends it, once what runs is done."""
        waiting = {step.name: step for step in steps}
        finished: set[str] = set()
        running: dict[Future[None], str] = {}
        with ThreadPoolExecutor(max_workers=16) as pool:
            while waiting or running:
                for name in [n for n, step in waiting.items() if finished.issuperset(step.needs)]:
                    running[pool.submit(self.one, name, waiting.pop(name).work)] = name
                if not running:
                    raise ValueError(f"steps that need what nobody does: {', '.join(waiting)}")
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    finished.add(running.pop(future))
                    try:
                        future.result()
                    except BaseException:
                        pool.shutdown(wait=False, cancel_futures=True)
                        raise

    def save(self, path: Path) -> None:
        """For the benchmark: seconds a step, and in all."""
        body = {"total_s": round(time.monotonic() - self.began, 2), "steps_s": self.times_s}
        write_atomic(path, json.dumps(body, indent=2) + "\n")
