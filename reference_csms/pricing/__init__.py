"""What charging costs: tariffs, and rating as a pure function that explains every line."""
