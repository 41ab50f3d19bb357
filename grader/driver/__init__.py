"""The driver and the socket helper: the only code of ours that talks to a student's server.

It runs in containers without network, speaks JSON lines with the grader on its standard input and
output, and imports nothing but the standard library, so that the image needs nothing but Python.
"""
