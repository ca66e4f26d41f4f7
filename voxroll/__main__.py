"""Where the command line begins: the console script `voxroll`, and `python -m voxroll`."""

from config.starting import imported


def main() -> None:
    """Run the command line."""
    imported("voxroll.cli").app(prog_name="voxroll")


if __name__ == "__main__":
    main()
