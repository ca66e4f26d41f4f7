"""`python -m engine`: the embedded enrollment service."""

from config.starting import imported

if __name__ == "__main__":
    imported("engine.process").main()
