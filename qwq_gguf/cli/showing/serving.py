"""What a server can be asked, once it serves."""

from __future__ import annotations

__all__ = ["examples"]


def examples(base: str, model: str, *, keys: bool, others: bool) -> str:
    """What to type to use it; `others`: whether other machines reach it, too."""
    key = "YOUR-KEY" if keys else "none"
    bearer = f" -H 'Authorization: Bearer {key}'" if keys else ""
    body = '{"messages": [{"role": "user", "content": "What is 7*43?"}]}'
    elsewhere = "Others have this machine's name or address in place of the one here.\n" * others
    return f"""
A page to chat with:
  {base}/
curl:
  curl {base}/v1/chat/completions{bearer} -d '{body}'
Python (pip install openai):
  from openai import OpenAI
  client = OpenAI(base_url="{base}/v1", api_key="{key}")
  chat = client.chat.completions.create(
      model="{model}", messages=[{{"role": "user", "content": "What is 7*43?"}}])
  print(chat.choices[0].message.reasoning_content, chat.choices[0].message.content, sep="\\n\\n")
A coding agent, by its environment, whichever protocol it speaks:
  export OPENAI_BASE_URL={base}/v1 OPENAI_API_KEY={key} OPENAI_MODEL={model}
  export ANTHROPIC_BASE_URL={base} ANTHROPIC_AUTH_TOKEN={key} ANTHROPIC_MODEL={model}
{elsewhere}"""
