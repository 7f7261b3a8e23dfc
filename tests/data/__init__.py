"""Data of the tests that is kept in the repository."""
