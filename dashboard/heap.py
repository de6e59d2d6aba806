"""Keeps Streamlit's refreshes cheap.

Streamlit collects all garbage after every run of a script, and so after every refresh. Nearly all that it looks through are the
modules of the libraries, which never go: that took five times as long as the refresh itself.
"""

import gc
from functools import cache


@cache
def set_aside() -> None:
    """Takes what has been loaded out of the collector's sight, once, after the first page was drawn."""
    gc.collect()
    gc.freeze()
