"""One module per paper: what it ran, what the paper says, and what came out here."""
