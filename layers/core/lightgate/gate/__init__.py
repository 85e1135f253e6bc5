"""The gates: the programs that run in the user's containers, and how the containers get them.

Nothing here decides what a gate may do."""
