"""One node: its namespaces, the images it pulls, the containers it runs, its health check.

The nodes of a deployment, and its success, belong in `local.lightsail.service`.
"""
