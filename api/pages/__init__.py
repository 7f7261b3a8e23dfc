"""Pages for residents, volunteers and the corporation: made on the server, usable on a phone and without scripts."""
