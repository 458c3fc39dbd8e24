"""Where the back-end keeps its rows: a port, and a memory store and an SQL store behind it."""
