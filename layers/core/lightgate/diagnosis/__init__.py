"""Why a release failed: its class, the line that shows it, and the one thing to do first.

Pure rules. How the release ended is decided in `outcome`, and logs are read in `operations`.
"""
