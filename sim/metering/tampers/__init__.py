"""The tamper catalogue: every way in which signed values go wrong that is known, by name, with the verdict that is due."""
