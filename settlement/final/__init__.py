"""Final months: passing the gates, sealing, correcting what is final, and what is kept of it."""
