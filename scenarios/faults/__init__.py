"""The language of faults: where, when, for how long, how it is released, how often. Words, plans and deeds."""
