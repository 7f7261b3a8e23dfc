"""Final months: passing the gates, sealing, and correcting what is final."""
