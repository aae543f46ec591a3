"""Taking part in a run: answers requests, and stores what an interruption must not lose."""
