"""One scenario over many seeds, the faults of a day drawn from a seed, and a finding made as small as it can be."""
