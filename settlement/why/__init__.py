"""Why is it different? The change of a household's total between two months, split into parts that sum to the cent."""
