"""Chats as values: messages, events, templates, tool calls. Nothing here runs a model."""
