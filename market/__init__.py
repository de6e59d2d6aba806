"""The pure core: contracts, sessions, bars and indicators. No I/O, no clock of its own, no process."""
