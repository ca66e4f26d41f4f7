"""`python -m webhook`: the front door."""

from config.starting import imported

if __name__ == "__main__":
    imported("webhook.process").main()
