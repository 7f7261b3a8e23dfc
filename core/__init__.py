"""Words everyone shares: units, money, time, errors, the community description, the wire format, the database."""
