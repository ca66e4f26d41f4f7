"""The commands of `voxroll`, one module each; they ask, wait and show, and decide nothing.

Each reads the settings once, as the composition root of its process.
"""
