"""A container service at work: deployments, fleet of nodes, load balancer, logs, metrics, state.

What happens inside one node is in `local.lightsail.node`.
"""
