"""`python -m worker`: the workshop."""

from config.starting import imported

if __name__ == "__main__":
    imported("worker.process").main()
