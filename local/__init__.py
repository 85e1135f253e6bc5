"""The cloud on your machine: everything that a release touches, as processes on loopback."""
