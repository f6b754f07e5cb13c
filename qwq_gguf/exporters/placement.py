"""Where a model goes on one machine, in the words of other runtimes. Pure.

The places themselves are found by `machine/placing.py`; what each runtime calls them:
llama-server's flags are in llama.cpp's common/arg.cpp, Ollama's `num_gpu` in its api/types.go and
its two variables in envconfig/config.go, LM Studio's fields in @lmstudio/sdk, the words of
text-generation-webui in its modules/shared.py.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Fitted"]

_PLAIN = "f16"


@dataclass(frozen=True, slots=True)
class Fitted:
    """What fits a machine: tokens of context, the type of its cache (f16, q8_0, q4_0), and how
    many of the `layers` go to its cards, what follows the last one counting as one.

    `gpu_layers` is None where there is no card; the experts of the first `cpu_experts` stay off
    it all the same.
    """

    context: int
    cache_type: str
    layers: int
    gpu_layers: int | None = None
    cpu_experts: int = 0

    @property
    def plain_cache(self) -> bool:
        """Whether the cache is what every runtime makes by itself."""
        return self.cache_type == _PLAIN

    def llama_server(self) -> list[tuple[str, str]]:
        """Flags without their dashes, each with its value."""
        found = []
        if not self.plain_cache:
            found += [("cache-type-k", self.cache_type), ("cache-type-v", self.cache_type)]
            found.append(("flash-attn", "on"))  # else llama.cpp keeps values in f16
        if self.gpu_layers is not None:
            found.append(("n-gpu-layers", str(self.gpu_layers)))
            if self.cpu_experts:
                found.append(("n-cpu-moe", str(self.cpu_experts)))
        return found

    def ollama(self) -> tuple[list[tuple[str, int]], tuple[str, ...]]:
        """Parameters of a Modelfile, and what it has none for."""
        parameters = [] if self.gpu_layers is None else [("num_gpu", self.gpu_layers)]
        return parameters, self._unsaid_of_ollama()

    def lmstudio(self) -> list[tuple[str, object]]:
        """Fields of the loading, without `llm.load.`."""
        fields: list[tuple[str, object]] = []
        if not self.plain_cache:
            fields.append(("llama.flashAttention", True))
            kept = {"checked": True, "value": self.cache_type}
            fields += [(f"llama.{which}CacheQuantizationType", kept) for which in "kv"]
        if self.gpu_layers is not None:
            fields.append(("llama.autoFit", False))  # else it chooses by itself
            all_of_it = self.gpu_layers >= self.layers
            ratio = "max" if all_of_it else round(self.gpu_layers / self.layers, 4)
            fields.append(("llama.acceleration.offloadRatio", ratio if self.gpu_layers else "off"))
            if self.cpu_experts:
                share = round(self.cpu_experts / self.layers, 4)
                fields.append(("numCpuExpertLayersRatio", share))
        return fields

    def text_generation_webui(self) -> dict[str, object]:
        """Lines of `config-user.yaml`."""
        lines: dict[str, object] = {}
        if not self.plain_cache:
            lines["cache_type"] = self.cache_type
        if self.gpu_layers is not None:
            lines["gpu_layers"] = self.gpu_layers
            if self.cpu_experts:
                lines["extra_flags"] = f"--n-cpu-moe {self.cpu_experts}"
        return lines

    def context_only(self, runtime: str) -> tuple[str, ...]:
        """What a runtime is not told that takes no more of this than the context."""
        told = []
        if not self.plain_cache:
            told.append(f"a cache in {self.cache_type}")
        if self.gpu_layers is not None and self.gpu_layers < self.layers:
            told.append(f"{self.gpu_layers} of {self.layers} layers on the card")
        if not told:
            return ()
        return (f"what fits this machine ({' and '.join(told)}): {runtime} decides it by itself",)

    def _unsaid_of_ollama(self) -> tuple[str, ...]:
        found = []
        if not self.plain_cache:
            found.append(
                f"the cache in {self.cache_type}: start Ollama's server with "
                f"OLLAMA_FLASH_ATTENTION=1 OLLAMA_KV_CACHE_TYPE={self.cache_type}, or this context "
                "does not fit"
            )
        if self.cpu_experts:
            found.append(
                f"the experts of the first {self.cpu_experts} layers in main memory: Ollama puts "
                "whole layers there"
            )
        return tuple(found)
