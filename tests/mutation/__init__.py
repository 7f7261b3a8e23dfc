"""Whether the tests notice a changed rule: small changes to the code, one at a time, and the tests that reach them."""
