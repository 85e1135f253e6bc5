"""The records of releases and versions, as plain values.

The reads and writes of the DynamoDB table are in `aws`.
"""
