"""January 2026 in a building of three flats, made up, with everything that may happen to a meter in a month."""
