"""The sealed bundle of a final month, and the stand-alone program that checks it (docs/sealed-bundle.md)."""
