"""The local cloud for people: `make local`, `make local-env` and `make local-push`."""
