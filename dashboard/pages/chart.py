"""The first page: one symbol's chart, its quote and the watch list."""

from dashboard import heap
from dashboard.live_page import show
from dashboard.wiring import feed, settings

show(feed(), settings().refresh_s, settings().deployment)
heap.set_aside()
