"""An HTTPS front to an exchange folder, for edges that are browser tabs."""
