"""arq: job names and payloads, enqueueing, and the worker that leases jobs."""
