"""A building of eighteen real homes: all of 2016 from measurements to statements, month by month."""
