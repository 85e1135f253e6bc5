"""What the gates are made of, and what they report: the programs that travel with a deployment, and
how the containers get them. Nothing here decides what a gate may do."""
