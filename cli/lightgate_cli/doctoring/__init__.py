"""What `lightgate doctor` reads for the checks of `lightgate.checks`."""
