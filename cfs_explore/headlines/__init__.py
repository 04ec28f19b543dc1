"""One sentence per page that says what THIS exploration shows, computed from its tables; one page per file."""
