"""Devices and links as the instance says, made by the kernel: namespaces, shaped links, quotas.

Every node of a run is a network namespace with one link to a network that has the instance's rates and
latencies, and a control group whose quota is the node's share of this machine. Nothing is changed outside of
them. What was made is named after the process that made it (`ownership`), so that whoever comes next takes
down what a killed run has left.

Needs root on Linux. Elsewhere processes shape their own transfers by waiting, and the report says so.
"""
