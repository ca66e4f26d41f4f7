"""The embedded enrollment service: RingCentral's contract, real voiceprints, no provider needed.

`voice` is the library (arrays in, facts out); `service` serves the contract over HTTP. Imports config and nothing else
of the house, and runs as a process of its own (`python -m engine`).
"""

import os

# numpy's second thread would spin beside each small product: twice the processor time for the same wait (measured:
# 0.33 s instead of 0.17 s a sample). It is read when numpy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
