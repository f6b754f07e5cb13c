"""What agents and front ends send, in the forms that their sources and captures of them show.

The fields and their forms are theirs, the words ours. Where they were seen is said beside each.
"""

from __future__ import annotations

from typing import Any

__all__ = ["AGENTS", "CLAUDE_CODE", "CODEX"]

_SCHEMA: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {
        "command": {"type": "string", "description": "What to run."},
        "timeout": {"type": "number", "maximum": 600000, "exclusiveMinimum": 0},
        "paths": {"type": "array", "items": {"type": "string", "pattern": "^/"}, "minItems": 1},
    },
    "required": ["command"],
    "additionalProperties": False,
}
_FUNCTION = {"name": "Bash", "description": "Run a command.", "parameters": _SCHEMA}
_CACHED = {"cache_control": {"type": "ephemeral"}}

# Claude Code 2.1: captures of /v1/messages?beta=true in public repositories.
CLAUDE_CODE: dict[str, Any] = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 32000,
    "stream": True,
    "temperature": 1,
    "thinking": {"type": "adaptive", "display": "omitted"},
    "output_config": {"effort": "high"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "metadata": {"user_id": '{"device_id":"0","session_id":"1"}'},
    "system": [
        {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.0; cch=a12e4;"},
        {"type": "text", "text": "You are an agent.", **_CACHED},
        {"type": "text", "text": "Be brief.", **_CACHED},
    ],
    "tools": [
        {
            "name": "Bash",
            "description": "Run a command.",
            "input_schema": _SCHEMA,
            "eager_input_streaming": True,
        },
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 8},
        {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"},
    ],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "<system-reminder>It is late.</system-reminder>"},
                {"type": "text", "text": "What is 7*43?", **_CACHED},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "I look.", "signature": "unsigned"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "ls"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "content": [{"type": "text", "text": "a.txt"}],
                    "is_error": False,
                    **_CACHED,
                },
                {"type": "text", "text": "And now?"},
            ],
        },
    ],
}

# Codex since 0.145, which speaks the responses API alone: its twelve fields, and its tools.
CODEX: dict[str, Any] = {
    "model": "demo",
    "instructions": "You are an agent.",
    "input": [
        {
            "type": "message",
            "role": "developer",
            "content": [{"type": "input_text", "text": "<permissions>all</permissions>"}],
        },
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "What is 7*43?"}],
        },
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [],
            "content": [{"type": "reasoning_text", "text": "I look."}],
            "encrypted_content": None,
        },
        {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "call_1",
            "name": "shell_command",
            "arguments": '{"command":"ls"}',
        },
        {"type": "function_call_output", "call_id": "call_1", "output": "a.txt"},
    ],
    "tools": [
        {
            "type": "function",
            "name": "shell_command",
            "description": "Run a command.",
            "strict": False,
            "parameters": _SCHEMA,
        },
        {
            "type": "custom",
            "name": "apply_patch",
            "description": "Change files.",
            "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"},
        },
        {"type": "web_search", "external_web_access": False},
        {"type": "namespace", "name": "mcp", "description": "More.", "tools": []},
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "reasoning": {"effort": "medium", "summary": "auto"},
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "0190",
    "client_metadata": {"session_id": "0190"},
}

_TURNS: list[dict[str, Any]] = [
    {"role": "system", "content": "You are an agent."},
    {"role": "user", "content": [{"type": "text", "text": "What is 7*43?"}]},
    {
        "role": "assistant",
        "content": "",
        "reasoning_content": "I look.",
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "Bash", "arguments": '{"command":"ls"}'},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "a.txt"},
]
_OFFERED = [{"type": "function", "function": _FUNCTION}]

AGENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "claude code": ("/v1/messages?beta=true", CLAUDE_CODE),
    # A second, smaller one that it asks for titles and the like.
    "claude code, aside": (
        "/v1/messages?beta=true",
        {
            "model": "claude-haiku-4-5",
            "max_tokens": 32000,
            "temperature": 1,
            "stream": True,
            "thinking": {"type": "disabled"},
            "system": [{"type": "text", "text": "Give it a title."}],
            "messages": [{"role": "user", "content": [{"type": "text", "text": "7*43"}]}],
            "tools": [],
            "output_config": {
                "format": {
                    "type": "json_schema",
                    "schema": {
                        "type": "object",
                        "properties": {"title": {"type": "string"}},
                        "required": ["title"],
                        "additionalProperties": False,
                    },
                }
            },
        },
    ),
    "codex": ("/v1/responses", CODEX),
    # OpenCode, by the AI SDK's provider for compatible servers.
    "opencode": (
        "/v1/chat/completions",
        {
            "model": "demo",
            "max_tokens": 32000,
            "temperature": 0.55,
            "top_p": 1,
            "messages": _TURNS,
            "tools": _OFFERED,
            "tool_choice": "auto",
            "stream": True,
            "stream_options": {"include_usage": True},
        },
    ),
    # Cline, through OpenAI's client.
    "cline": (
        "/v1/chat/completions",
        {
            "model": "demo",
            "messages": [
                {"role": "system", "content": "You are an agent."},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "<task>What is 7*43?</task>"},
                        {"type": "text", "text": "<environment_details>none</environment_details>"},
                    ],
                },
            ],
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
            "reasoning_effort": "medium",
        },
    ),
    # Aider, through LiteLLM.
    "aider": (
        "/v1/chat/completions",
        {
            "model": "demo",
            "messages": [
                {"role": "system", "content": "Act as an expert."},
                {"role": "user", "content": "I am not sharing files."},
                {"role": "assistant", "content": "Ok."},
                {"role": "user", "content": "What is 7*43?"},
            ],
            "temperature": 0,
            "stream": True,
            "extra_body": {},
            "user": "me",
        },
    ),
    # Open WebUI (utils/payload.py, routers/openai.py): what a chat, and what a task sends on; older
    # releases send fields of its own along.
    "open webui": (
        "/v1/chat/completions",
        {
            "model": "demo",
            "stream": True,
            "stream_options": {"include_usage": True},
            "messages": [{"role": "user", "content": "What is 7*43?"}],
            "temperature": 0.7,
            "top_p": 0.9,
            "max_tokens": 60,
            "frequency_penalty": 0.0,
            "presence_penalty": 0.0,
            "seed": 1,
            "stop": ["END"],
            "logit_bias": {"5": -100},
            "reasoning_effort": "high",
            "chat_id": "1",
            "session_id": "2",
            "id": "3",
            "features": {"web_search": False},
            "variables": {"{{USER_NAME}}": "me"},
            "background_tasks": {"title_generation": True},
            "user": {"name": "me", "role": "admin"},
        },
    ),
    "open webui, a task": (
        "/v1/chat/completions",
        {
            "model": "demo",
            "messages": [{"role": "user", "content": "Give it a title."}],
            "stream": False,
            "max_completion_tokens": 40,
        },
    ),
}
