"""Profiles: how a reasoning model is meant to be run, one TOML each."""

from qwq_gguf.profiles.auto import Choice, choose_profile, family_of, is_reasoner, made_for
from qwq_gguf.profiles.edited_keys import EditedKey, edited_keys, edited_of
from qwq_gguf.profiles.gguf_keys import SamplingKeys, sampling_keys
from qwq_gguf.profiles.load import (
    DEFAULT_PROFILE,
    load_profile,
    parse_profile,
    profile_names,
    profile_text,
)
from qwq_gguf.profiles.load_governor import governor_settings, with_governor_settings
from qwq_gguf.profiles.profile import Profile, TemplatePolicy, ThinkingTags
from qwq_gguf.profiles.resolve import AUTO, Resolved, resolve
from qwq_gguf.profiles.thoughts import thoughts_of

__all__ = [
    "AUTO",
    "DEFAULT_PROFILE",
    "Choice",
    "EditedKey",
    "Profile",
    "Resolved",
    "SamplingKeys",
    "TemplatePolicy",
    "ThinkingTags",
    "choose_profile",
    "edited_keys",
    "edited_of",
    "family_of",
    "governor_settings",
    "is_reasoner",
    "load_profile",
    "made_for",
    "parse_profile",
    "profile_names",
    "profile_text",
    "resolve",
    "sampling_keys",
    "thoughts_of",
    "with_governor_settings",
]
