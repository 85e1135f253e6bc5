"""A container service at work: deployments, fleet of nodes, load balancer, logs, metrics, state.

The inside of one node belongs in `local.lightsail.node`.
"""
