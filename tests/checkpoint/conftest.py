from __future__ import annotations

from support.hub_fixtures import hub, hub_session

__all__ = ["hub", "hub_session"]
