#!/bin/sh
# Written by qwq-gguf 0.1.0.dev0 from the profile qwq:
# the file's qwq_gguf.profile names it.
# Further flags are passed on: sh llama-server.sh --port 8081
cd -- "$(dirname -- "$0")" || exit
exec llama-server \
    --model ./QwQ-32B-Q4_K_M.gguf \
    --ctx-size 16384 \
    --samplers 'temperature;top_k;top_p;min_p;penalties' \
    --repeat-penalty 1 \
    --presence-penalty 1 \
    --repeat-last-n 16384 \
    --top-k 40 \
    --top-p 0.95 \
    --min-p 0.01 \
    --temp 0.6 \
    --reverse-prompt '<|im_end|>' \
    --reverse-prompt '<|im_start|>' \
    --reverse-prompt '<|endoftext|>' \
    --reasoning-format deepseek \
    --reasoning-budget 12288 \
    --reasoning-budget-message 'I have thought about this long enough, so I answer with what I have.' \
    --jinja \
    "$@"
