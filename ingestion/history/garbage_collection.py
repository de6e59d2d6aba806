"""How often a command that makes many records lets Python look for garbage."""

import gc

# Objects that are made between two looks. An answer of the provider becomes ten thousand rows and bars, none of them in a circle.
BETWEEN_LOOKS = 50_000


def leave_imports_alone() -> None:
    """Once all is imported and made ready: what there is by now stays, and to look through it again and again costs a tenth of a
    backfill's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(BETWEEN_LOOKS)
