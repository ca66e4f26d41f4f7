"""The status store in Redis (keys, commit script, listings, journal) and the object store of clips and uploads."""
