"""Work that residents do: the fuel forecast, the rounds, and the messages that ask for help."""
