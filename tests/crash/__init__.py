"""What is acknowledged is stored exactly once, whatever is killed: a publisher that keeps count, and a hand that kills."""
