"""The front door: the command line and the wiring. It knows every room and holds no rules of its own."""
