"""The embedded enrollment service: RingCentral's contract, real voiceprints, no provider needed.

`voice` is the library (arrays in, facts out); `service` serves the contract over HTTP. Imports config and nothing else
of the house, and runs as a process of its own (`python -m engine`).
"""
