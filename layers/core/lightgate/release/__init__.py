"""A release, the requests that start one, and the rules of the deployment lock.

Pure rules. The DynamoDB table with the lock is in `aws`.
"""
