"""How a release ended, and what follows for the people who wait for it.

Pure rules. What went wrong is found out in `diagnosis`.
"""
