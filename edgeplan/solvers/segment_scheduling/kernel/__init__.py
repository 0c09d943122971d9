"""The compiled part: links, convex programmes of fixed structures, and the pricing of clusters.

C, because a slot needs some ten thousand small convex minimisations and labels, each of a microsecond:
the same in numpy is bound by the overhead of its calls. Built by pip from the sources beside this file and
loaded with ctypes; the arrays belong to Python.
"""
