"""The poll: the newest minutes of every tracked symbol, in the order in which they have waited."""
