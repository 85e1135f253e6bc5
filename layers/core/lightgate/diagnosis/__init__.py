"""Why a release failed: its class, the line that shows it, and the one thing to do first."""
