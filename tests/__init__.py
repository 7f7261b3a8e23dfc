"""Everything that proves the product: one folder per kind of test."""
