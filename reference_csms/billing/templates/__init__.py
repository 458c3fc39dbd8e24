"""Templates of the documents that customers see."""
