"""Every error this package raises on purpose.

    QwqGgufError
    ├── SourceError             the checkpoint a user named
    │   ├── NotACheckpointError     nothing there, or not a checkpoint
    │   ├── ShardError              a safetensors file is missing, short or malformed
    │   │   └── WrongShardError         its bytes are not those that the Hub lists
    │   ├── ConfigError             config.json contradicts itself or the weights
    │   ├── TokenizerError          tokenizer.json cannot become a GGUF vocabulary
    │   ├── TensorError             a tensor is missing, unknown or holds bad numbers
    │   ├── UnsupportedError        an architecture, dtype or pre-tokenizer we do not know
    │   ├── NotAGgufError           nothing there, or not a GGUF file
    │   ├── DiskSpaceError          a download is larger than the room for it
    │   └── HubError                the Hub answers nonsense, or not at all
    │       ├── HubNotFoundError        no such repository, revision or file there
    │       ├── HubAccessError          gated, private, or the token is not accepted
    │       └── HubConnectionError      it cannot be reached, or is not in order
    │           └── HubOfflineError         not asked, and not in the cache
    ├── GgufError               a GGUF file is malformed or hostile
    │   └── ManifestError           the manifest beside one can be read, and says nothing
    ├── RecipeError             a recipe is unknown or malformed
    ├── PlanError               a recipe cannot be applied to this model
    ├── ImatrixError            an importance matrix is malformed or another model's
    ├── MemoryLimitError        the work does not fit into the memory it may take
    ├── OutputError             the output cannot be written where it was asked for
    ├── LibraryError            the native llama.cpp library is missing, wrong or crashes
    ├── ModelError              a model cannot be loaded or run
    │   ├── NoRoomError             it does not fit into the memory there is
    │   ├── PromptTooLongError      the prompt does not fit the context
    │   └── BusyError               as many ask an engine as may wait for it
    ├── ProfileError            a profile is unknown or malformed
    │   └── ChainError              a sampler chain makes no sense
    ├── TemplateError           a chat template cannot be rendered
    ├── ToolError               a tool cannot do what it was asked (the model reads this)
    ├── ServerError             a server cannot be asked, or answers nonsense
    │   └── WorkerLostError         a machine that has a part of the model has gone
    ├── ExportError             a setting cannot be expressed for a runtime
    ├── PublishError            files that cannot be published as they are
    ├── MissingPackageError     an optional package is asked for and not installed
    ├── ConfigurationError      the user's own configuration says what makes no sense
    ├── EvaluationError         a suite is unknown or its answers are unreadable
    └── UsageError              a call whose arguments do not go together, or make no sense

An error says what is wrong with which file, what was found, what was expected, and
the next thing to try. The CLI prints exactly that, and no traceback.
"""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "BusyError",
    "ChainError",
    "ConfigError",
    "ConfigurationError",
    "DiskSpaceError",
    "EvaluationError",
    "ExportError",
    "GgufError",
    "HubAccessError",
    "HubConnectionError",
    "HubError",
    "HubNotFoundError",
    "HubOfflineError",
    "ImatrixError",
    "LibraryError",
    "ManifestError",
    "MemoryLimitError",
    "MissingPackageError",
    "ModelError",
    "NotACheckpointError",
    "NoRoomError",
    "NotAGgufError",
    "OutputError",
    "PlanError",
    "ProfileError",
    "PromptTooLongError",
    "PublishError",
    "QwqGgufError",
    "RecipeError",
    "ServerError",
    "ShardError",
    "SourceError",
    "TemplateError",
    "TensorError",
    "TokenizerError",
    "ToolError",
    "UnsupportedError",
    "UsageError",
    "WorkerLostError",
    "WrongShardError",
]


class QwqGgufError(Exception):
    """Something the user can act on.

    `message` is one sentence. `path` is the file it is about, `found` and `expected`
    are short values, `hint` is the next command or action to try.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str | Path | None = None,
        found: object = None,
        expected: object = None,
        hint: str | None = None,
    ) -> None:
        self.message = message
        self.path = None if path is None else str(path)
        self.found = None if found is None else str(found)
        self.expected = None if expected is None else str(expected)
        self.hint = hint
        super().__init__(message)

    def __str__(self) -> str:
        lines = [self.message if self.path is None else f"{self.path}: {self.message}"]
        if self.found is not None:
            lines.append(f"  found:    {self.found}")
        if self.expected is not None:
            lines.append(f"  expected: {self.expected}")
        if self.hint is not None:
            lines.append(f"  try:      {self.hint}")
        return "\n".join(lines)


class SourceError(QwqGgufError):
    """A checkpoint cannot be used as it is."""


class NotACheckpointError(SourceError):
    """The name leads to no checkpoint."""


class ShardError(SourceError):
    """A safetensors shard or its index is missing, truncated or malformed."""


class WrongShardError(ShardError):
    """A file of weights was read whose bytes are not those that the Hub lists."""


class ConfigError(SourceError):
    """A configuration value is absent, absurd or contradicts another."""


class TokenizerError(SourceError):
    """The tokenizer cannot be turned into a GGUF vocabulary."""


class TensorError(SourceError):
    """A tensor is missing, unknown, of the wrong shape, or holds NaN or Inf."""


class UnsupportedError(SourceError):
    """An architecture, data type or pre-tokenizer outside the supported ones."""


class NotAGgufError(SourceError):
    """The name leads to no GGUF file, or to several that it may mean."""


class DiskSpaceError(SourceError):
    """What has to be downloaded is larger than the room on the disk."""


class HubError(SourceError):
    """The Hub cannot give what was named."""


class HubNotFoundError(HubError):
    """The Hub knows no such repository, revision or file, or does not say so to strangers."""


class HubAccessError(HubError):
    """A gated or private repository, or a token that the Hub does not accept."""


class HubConnectionError(HubError):
    """The Hub cannot be reached, breaks off, or is out of order."""


class HubOfflineError(HubConnectionError):
    """The Hub may not be asked (HF_HUB_OFFLINE), and the cache does not hold what is needed."""


class GgufError(QwqGgufError):
    """A GGUF file is malformed, truncated or hostile."""


class ManifestError(GgufError):
    """The manifest of a GGUF is damaged, or not one that this version knows.

    One that cannot be read at all is a GgufError: what it says is not known.
    """


class RecipeError(QwqGgufError):
    """A recipe is unknown or malformed."""


class PlanError(QwqGgufError):
    """A recipe cannot be applied to this model."""


class ImatrixError(QwqGgufError):
    """An importance matrix is missing, malformed, or made for another model."""


class OutputError(QwqGgufError):
    """The output exists already, or cannot be written."""


class MemoryLimitError(QwqGgufError):
    """A run cannot be done within the memory it was given."""


class LibraryError(QwqGgufError):
    """The native llama.cpp library is missing, of another version, or crashes here."""


class ModelError(QwqGgufError):
    """A model cannot be loaded or run."""


class NoRoomError(ModelError):
    """A model, or its context, does not fit into the memory there is."""


class PromptTooLongError(ModelError):
    """The prompt has more tokens than the context can hold."""


class BusyError(ModelError):
    """An engine has as many generations as may wait for it, or is about to end: ask later."""


class ProfileError(QwqGgufError):
    """A profile is unknown or malformed."""


class ChainError(ProfileError):
    """A sampler chain makes no sense."""


class TemplateError(QwqGgufError):
    """A chat template cannot be rendered."""


class ToolError(QwqGgufError):
    """A tool refuses its input. The model gets the message as the tool's result."""


class ServerError(QwqGgufError):
    """A running server cannot be asked, or what it answers makes no sense."""


class WorkerLostError(ServerError):
    """Another machine, that has a part of a loaded model, has gone."""


class ExportError(QwqGgufError):
    """A setting cannot be expressed in a runtime's format."""


class PublishError(QwqGgufError):
    """Files cannot be published as they are, or their card cannot be written."""


class MissingPackageError(QwqGgufError):
    """A package that only an extra of this one brings is not installed."""


class ConfigurationError(QwqGgufError):
    """The configuration file, or a variable of the environment, says what makes no sense."""


class EvaluationError(QwqGgufError):
    """A suite is unknown, or results cannot be read."""


class UsageError(QwqGgufError):
    """A call whose arguments do not go together, or make no sense; says what to do instead."""
