"""One module for each AWS service; the only place that knows boto3.

Each adapter takes its client as an argument, turns what AWS answers into values of
`lightgate`, and lets what it does not expect pass: the state machine retries that.
"""
