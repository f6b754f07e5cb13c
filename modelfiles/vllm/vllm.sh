#!/bin/sh
# Written by qwq-gguf 0.1.0.dev0 from the profile qwq:
# the file's qwq_gguf.profile names it.
cd -- "$(dirname -- "$0")" || exit
exec vllm serve ./QwQ-32B-Q4_K_M.gguf \
    --tokenizer Qwen/QwQ-32B \
    --hf-config-path Qwen/QwQ-32B \
    --max-model-len 16384 \
    --generation-config vllm \
    --override-generation-config '{"temperature": 0.6, "top_k": 40, "top_p": 0.95, "min_p": 0.01, "repetition_penalty": 1.0, "presence_penalty": 1.0, "frequency_penalty": 0.0}' \
    --chat-template chat_template.jinja \
    --reasoning-parser deepseek_r1 \
    --enable-auto-tool-choice --tool-call-parser hermes \
    "$@"
