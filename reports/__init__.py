"""Reports: pure readers of a run folder. They judge nothing and compute no verdict of their own."""
