"""The workshop: the only place where work is done.

The steps of a sample's way are the modules of this folder (`intake`, `prepare`, `submit`, `reconcile`, `sweep`); they
read the record, do one thing to the world, and tell the pure core (`enrollment`) what happened.
"""
