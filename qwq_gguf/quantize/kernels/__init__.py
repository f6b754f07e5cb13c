"""Turning rows of float32 weights into blocks."""

from __future__ import annotations
