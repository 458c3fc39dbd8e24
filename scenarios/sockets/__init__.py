"""Real sockets: the reference CSMS as a server, and fleets of virtual stations against any back-end."""
