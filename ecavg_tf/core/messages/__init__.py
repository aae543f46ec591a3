"""What server and edges tell each other: requests, replies, updates, mailboxes."""
