"""What is acknowledged is stored exactly once, whatever is killed: a publisher that counts, and a hand that kills."""
