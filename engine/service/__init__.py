"""The contract over HTTP: enrollments, identification, jobs and callbacks, tokens, and the vault they live in.

Wire names (camelCase) stay in this folder's wire models.
"""
