"""Load: shapes of traffic, the rigs of a generating process, Locust's side of them, thresholds, a whole load run."""
