"""How fast minisparse is, and how much memory it takes, beside named peers measured in the same minute."""
