"""`voxroll up`: one command that runs the whole line on one machine, and leaves nothing behind when it ends.

`supervisor` is the order of things; `child` is one process of it, `valkey` the embedded database, `lock`, `secrets` and
`sockets` what they need. The processes are started as `python -m ROOM --attached` and spoken to by signals, sockets and
HTTP alone: nothing of the rooms is imported here.
"""
