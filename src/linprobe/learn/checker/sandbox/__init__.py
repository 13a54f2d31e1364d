"""Somebody else's file, run in a process of its own: `supervisor` on our side, `worker` on its side, `wire` between."""
