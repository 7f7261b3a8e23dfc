"""A building in a box: devices, residents and the truth, a function of seed and absolute time."""
