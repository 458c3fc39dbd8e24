"""Quirks at the wire: what a firmware makes of the frames between its control unit and its socket."""
