"""The year of a community: its final months added up, the fixed part of heat weighed by degree days."""
