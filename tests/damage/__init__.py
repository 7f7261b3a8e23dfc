"""Real measurements, damaged in ways that meters and networks really damage them, settled with and without."""
