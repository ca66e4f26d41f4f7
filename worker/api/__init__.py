"""The client of the speaker-enrollment API: wire models, token, rate governor.

The embedded engine and RingCentral speak the same contract, so there is one client. Knows nothing of the status store.
"""
