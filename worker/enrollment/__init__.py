"""The pure core: record, facts, transitions, rules, retry decisions, errors.

Imports the standard library only. No clock, no I/O, no randomness: time and ids come in with the facts.
"""
