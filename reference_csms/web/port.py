"""What the web faces need of the process that they speak for."""

from sim.office import ConnectionView, Counters, Office

__all__ = ["ConnectionView", "Counters", "Office"]
