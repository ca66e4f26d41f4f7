"""What workshop and front door agree on: the token in webhookUrl, the callback's body, the speaker document."""
