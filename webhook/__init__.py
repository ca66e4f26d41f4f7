"""The front door: webhookUrl, the HTTP API, and what watchers see.

It verifies, writes down and answers; work is done in `worker`, never here.
"""
