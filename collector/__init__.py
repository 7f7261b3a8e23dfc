"""Readings in: sources, device profiles, decoding, acknowledgement, the writer."""
