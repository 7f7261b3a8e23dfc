"""Quarter-hours kept in the database: which of them new readings touch, worked out by columns, written when changed."""
