"""The server: OpenAI's and Anthropic's protocols in front of our engine.

`reading/` makes one `Ask` of each protocol's body and `writing/` each protocol's answer of what
comes of it; both are pure. `answering/` has the models and the replies, `web/` the application.
Only this room knows starlette and uvicorn.
"""
