"""The request that creates a deployment, and the reading of Lightsail's answers about one.

Pure rules. The keys of a spec are in `spec`, the AWS calls in `aws`.
"""
