"""One node: its namespaces, the images it pulls, the containers it runs, its health check.

Which nodes a deployment has, and when it succeeds, is in `local.lightsail.service`.
"""
