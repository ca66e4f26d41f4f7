"""The voice library: decode, find speech, measure, cut, voiceprint.

Arrays in, facts out: nothing in this folder knows HTTP, Redis or who asks. The workshop and the engine's service use
it alike, in threads, because every call computes.
"""

import os

# onnxruntime writes usage events below the user's cache unless this is set before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
