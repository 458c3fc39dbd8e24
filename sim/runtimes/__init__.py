"""Runtimes own clock and sockets; Machines run on any of them. This landing has the virtual one."""
