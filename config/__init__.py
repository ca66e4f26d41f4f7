"""Settings and logging, nothing else.

Every process reads its settings here, once, in its `main()`; every module that logs does so through structlog as it is
set up here. Nothing in this folder knows what Voxroll does.
"""
