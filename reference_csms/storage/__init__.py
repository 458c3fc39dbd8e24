"""Where the back-end keeps its rows: a port, and the memory store behind it."""
