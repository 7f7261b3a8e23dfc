"""What the tests share: a real database server, a real broker, and an honest tally of what was run."""
