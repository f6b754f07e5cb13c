"""What a user can do, as calls: each decides, runs the rooms below, and returns a value.

A job never prints. What happens meanwhile it tells by `events` to one callback, so that a
command, a Python program and a server show it as they like.
"""
