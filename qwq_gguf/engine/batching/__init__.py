"""Several texts in one context: who comes next is decided here as values, then computed.

`Scheduler` decides, on integers alone; `Engine` has the thread that computes and picks; its
`sequence()` is used like a session, from as many threads as one likes.
"""
