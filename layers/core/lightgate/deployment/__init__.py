"""What is deployed: the request to Lightsail, and what its answers say of a deployment.

Pure rules. What a spec may say is in `spec`.
"""
