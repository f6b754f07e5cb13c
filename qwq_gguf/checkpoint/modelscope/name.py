"""How people name a model of ModelScope: `modelscope:org/name`, with revision and tag as on the
Hub, or the address of its page.
"""

from __future__ import annotations

import re
from dataclasses import replace

from qwq_gguf.checkpoint.hub.name import HubName, parse_hub_name
from qwq_gguf.checkpoint.modelscope.settings import PREFIX
from qwq_gguf.errors import SourceError
from qwq_gguf.words import message_of

__all__ = ["parse_modelscope_name"]

_PAGES = r"(?:/(?:summary|files)?)?"
_ADDRESS = re.compile(
    rf"(?:https?://)?(?:www\.)?modelscope\.(?:cn|ai)/(?:models/)?([^/?#]+/[^/?#]+){_PAGES}",
    re.IGNORECASE,
)


def parse_modelscope_name(text: str) -> HubName | None:
    """The name that `text` is, None where it is meant for somewhere else.

    SourceError for one that is meant for ModelScope and names no model.
    """
    address = _ADDRESS.fullmatch(text)
    if address is not None:
        there = address[1]
    elif text.lower().startswith(PREFIX):
        there = text[len(PREFIX) :]
    else:
        return None
    name = parse_hub_name(there)
    if name is None or name.explicit:
        raise SourceError(
            "this names no model on ModelScope",
            found=repr(message_of(text, 120)),
            expected=f"{PREFIX}org/name",
        )
    return replace(name, explicit=True)
