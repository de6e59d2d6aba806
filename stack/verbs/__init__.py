"""The verbs of `candlestream`, a module a group. Each is a few lines: the work is in the modules that it calls.

What a verb needs is imported when it is called, so that no verb waits for another one's libraries.
"""
