"""Taking part in a run: requests are answered, what must survive is kept."""
