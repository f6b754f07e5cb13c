"""A profile and its chain as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qwq_gguf.profiles import Profile, Resolved

__all__ = ["chain_json", "profile_json"]


def chain_json(resolved: Resolved, profile: Profile) -> dict[str, Any]:
    """A chain and who decided it; `profile` is what is run in the end."""
    return {
        "schema": "qwq-gguf/chain/1",
        **profile_json(profile),
        "reason": resolved.reason,
        "origins": dict(resolved.origins),
        "notes": list(resolved.notes),
    }


def profile_json(profile: Profile) -> dict[str, Any]:
    """A profile with every setting in the order in which it acts."""
    return {
        "profile": profile.name,
        "description": profile.description,
        "order": list(profile.chain.order),
        "settings": [
            {
                "stage": row.stage,
                "setting": row.setting,
                "value": row.value,
                "off": row.off,
                "source": " ".join(profile.sources.get(row.setting, "").split()),
            }
            for row in profile.chain.describe()
        ],
        "stops": list(profile.stops),
        "context": profile.context,
        "thought_budget": profile.governor.budget,
    }
