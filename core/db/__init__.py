"""The database: schema, migrations, connections, the embedded server, the one way to insert raw readings."""
