"""`voxroll demo`: the whole line once, with real voices, on this machine alone.

`voices` gets recorded telephone prompts of professional speakers, `recordings` makes phone-call-like recordings of
them (and four that must be turned down), `run` starts the line in a temporary folder, enrolls all, and asks the engine
who speaks in recordings that it has never heard; `report` shows it and says whether all went as expected.
"""
