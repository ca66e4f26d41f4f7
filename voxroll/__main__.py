"""Where the command line begins: the console script `voxroll`, and `python -m voxroll`."""

import gc


def main() -> None:
    """Run the command line; what is imported for it stays, so the collector need never look at it."""
    gc.disable()
    from voxroll.cli import app  # noqa: PLC0415  (the collector is a sixth of what these imports cost)

    gc.freeze()
    gc.enable()
    app(prog_name="voxroll")


if __name__ == "__main__":
    main()
