"""The supervisor: every process started, watched, restarted and stopped, and the orders that it takes."""
