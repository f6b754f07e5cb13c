"""What is put right between a checkpoint's conversion and the plan, and said: sampling keys
from a profile, tokens that keep a model from stopping, checks of its chat template.
"""

from __future__ import annotations

from qwq_gguf.preparation.prepared import Prepared, prepare
from qwq_gguf.preparation.sampling import put_sampling, with_profile, without_profile_name
from qwq_gguf.preparation.template import TemplateCheck, check_template

__all__ = [
    "Prepared",
    "TemplateCheck",
    "check_template",
    "prepare",
    "put_sampling",
    "with_profile",
    "without_profile_name",
]
