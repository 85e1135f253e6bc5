"""The watch period: whether the live version is healthy, judged by its health checks.

Pure rules. The health check itself, with its HTTP request, is in `operations.check_health`.
"""
