"""Container images: addresses, tags, manifests and configurations.

Pure rules. The calls of ECR are in `aws.ecr`.
"""
