"""The network between stations and back-ends: ordered paths that are honest to TCP, and the faults that may befall them."""
