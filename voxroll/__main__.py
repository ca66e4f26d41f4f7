"""`python -m voxroll`: the same as the console script `voxroll`."""

from voxroll.cli import main

main()
