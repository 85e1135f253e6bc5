"""Whether a version that serves does its work, judged by what its health checks have shown.

Pure rules. Asking the app is in `operations.check_health`.
"""
