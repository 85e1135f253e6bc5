"""What people and machines are told of a release that has ended."""
