"""A module or package per paper: what it ran, what the paper says, and our results."""
