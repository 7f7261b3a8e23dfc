"""Documents made from a statement: pages to read and print, rows to book."""
