"""Profiles: how a reasoning model is meant to be run, one TOML each."""

from qwq_gguf.profiles.load import DEFAULT_PROFILE, load_profile, parse_profile, profile_names
from qwq_gguf.profiles.profile import Profile, TemplatePolicy, ThinkingTags

__all__ = [
    "DEFAULT_PROFILE",
    "Profile",
    "TemplatePolicy",
    "ThinkingTags",
    "load_profile",
    "parse_profile",
    "profile_names",
]
