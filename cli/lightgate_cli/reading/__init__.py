"""What the commands read: the rules are pure, and only `gather` and `finding` call AWS."""
