"""`dead-letters list | show | edit | replay` for a person (and, with --json, for a task)."""

import argparse
import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ingestion import terminal
from ingestion.database import Database
from ingestion.dead_letters import letters, originals, replay
from ingestion.dead_letters.editing import readable, with_changes, with_first_receipt
from ingestion.dead_letters.letters import Letter, Which
from ingestion.errors import BadConfiguration, NotReplayed
from ingestion.providers.base import LiveProvider
from ingestion.publisher import Publisher
from ingestion.settings import Settings

COLUMNS = ("id", "received", "stage", "symbol", "reason", "detail", "state")
# What is no symbol may be as long as a page.
LONGEST_SYMBOL = 24
MARKUP = {"replayed": "green", "failed": "red", "refused": "red", "edited": "yellow", "sent": "yellow"}


def run(
    chosen: argparse.Namespace,
    configured: Settings,
    provider: Callable[[], LiveProvider],
    publisher: Callable[[], Publisher],
) -> int:
    database, console = Database(configured.database_url), terminal.console()
    if chosen.verb == "list":
        which = Which(symbol=chosen.symbol, reason=chosen.reason, states=tuple(chosen.state or ()))
        console.print(listed(list(letters.find(database, which, chosen.limit, newest_first=True))))
        return 0
    if chosen.verb == "show":
        letter = letters.get(database, chosen.id)
        console.print(shown(letter, words_of(letter, provider)), markup=False, highlight=False)
        return 0
    if chosen.verb == "edit":
        letter = letters.get(database, chosen.id)
        return edit(database, letter, words_of(letter, provider), chosen, console)
    which = which_to_replay(chosen)
    done = replay.replay(database, provider(), publisher(), configured.source, which, chosen.again)
    console.print(json.dumps(done.as_dict()) if chosen.json else told(done), markup=False, highlight=False)
    return NotReplayed.exit_code if (done.refused or done.failed) and not chosen.json else 0


def which_to_replay(chosen: argparse.Namespace) -> Which:
    """Raises `BadConfiguration` where nothing was named: all letters are replayed on request only."""
    if not (chosen.ids or chosen.all or chosen.symbol or chosen.reason or chosen.mendable):
        raise BadConfiguration("say which: ids, --symbol, --reason, --mendable or --all")
    return Which(tuple(chosen.ids), chosen.symbol, chosen.reason, mendable=chosen.mendable)


def listed(found: list[Letter]) -> Table:
    table = Table(*COLUMNS, box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    for letter in found:
        state = letter.state + (f" ({letter.replay_detail})" if letter.state in ("failed", "refused") else "")
        table.add_row(
            str(letter.id),
            f"{letter.received_at:%Y-%m-%d %H:%M:%S}",
            letter.stage,
            escape(letter.symbol[:LONGEST_SYMBOL]),
            letter.reason,
            escape(letter.detail[:80]),
            escape(state),
            style=MARKUP.get(letter.state),
        )
    return table


def words_of(letter: Letter, provider: Callable[[], LiveProvider]) -> bytes:
    """What is to be replayed, as a person reads and edits it."""
    # Only a frame of the live feed needs the provider to be read.
    return originals.in_words(
        letter, lambda frame: provider().decode(frame) if b'"message"' in letter.to_replay else None
    )


def shown(letter: Letter, words: bytes) -> str:
    lines = [
        f"dead letter {letter.id}, refused by {letter.stage}: {letter.reason}",
        f"  {letter.detail}",
        f"symbol   {letter.symbol or 'not known'}",
        f"received {letter.received_at:%Y-%m-%d %H:%M:%S.%f} UTC, refused {letter.created_at:%Y-%m-%d %H:%M:%S} UTC",
        f"place    {letter.topic}[{letter.partition}]@{letter.offset}",
        f"state    {letter.state}, replayed {letter.replays} times{f': {letter.replay_detail}' if letter.replays else ''}",
        "payload, as it came:",
        readable(letter.payload),
    ]
    if letter.edited is not None:
        lines += ["payload, as edited:", readable(letter.edited)]
    if words != letter.to_replay:
        lines += ["what it says, and what `dead-letters edit` changes:", readable(words)]
    return "\n".join(lines)


def edit(database: Database, letter: Letter, words: bytes, chosen: argparse.Namespace, console: Console) -> int:
    """Keeps an edit of `words` beside the original; nothing is sent before `replay`."""
    if chosen.set:
        payload = with_changes(words, chosen.set, names_in(words))
    elif chosen.file:
        payload = read(chosen.file)
    else:
        payload = in_editor(letter.id, words)
    if payload == words:
        payload = letter.to_replay
    payload = with_first_receipt(letter.payload, payload, letter.fetched_ms if letter.stage == "stream" else None)
    if payload == letter.to_replay:
        console.print("nothing was changed", markup=False)
        return 0
    letters.save_edit(database, letter.id, payload)
    sentence = f"dead letter {letter.id} is edited; `dead-letters replay {letter.id}` sends it"
    console.print(sentence, markup=False, highlight=False)
    return 0


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadConfiguration(f"{path} cannot be read: {error.strerror}") from error


def names_in(words: bytes) -> Sequence[str] | None:
    """What can be set of a frame of the live feed: what it says, or its message. None is anything: a field may be missing."""
    try:
        body = json.loads(words)
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    if body.keys() == set(originals.QUOTE):
        return originals.QUOTE
    return list(body) if "message" in body else None


def in_editor(identity: int, words: bytes) -> bytes:
    """The words after the person's own editor ($VISUAL, $EDITOR, else vi)."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    text = readable(words)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"dead-letter-{identity}.json"
        path.write_text(text)
        try:
            code = subprocess.run([*shlex.split(editor), str(path)], check=False).returncode
        except OSError as error:
            raise BadConfiguration(f"the editor {editor!r} cannot be started: {error.strerror}") from error
        if code:
            raise BadConfiguration(f"the editor {editor!r} ended with {code}; nothing was kept")
        edited = path.read_text()
    return words if edited == text else edited.rstrip("\n").encode()


def told(done: replay.Summary) -> str:
    verdict = f"{done.replayed} taken by the stream and {done.failed} refused again"
    if done.unjudged:
        verdict += f", {done.unjudged} not judged yet (`dead-letters list` shows them)"
    letters_ = "1 letter" if done.letters == 1 else f"{done.letters} letters"
    lines = [
        f"{letters_}: {done.sent} sent, of them {verdict};"
        f" {done.refused} still wrong and not sent, {done.skipped} sent before"
    ]
    return "\n".join([*lines, *(f"  {reason}" for reason in done.why)])
