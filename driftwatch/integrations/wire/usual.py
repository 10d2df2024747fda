r"""The events that most streams are made of, read without a JSON parser.

Servers write the events of a chat or of a completion all the same way, field after field, without white space. An event
that is written so to its last byte says here what a parser would find in it; every other one is for the parser. In the
words that are read no quote and no backslash is let through, so that they mean what they would when parsed.
"""

from __future__ import annotations

import re

_WORD = r"[!#-\[\]-~]{1,200}"
_NUMBER = r"(?:0|[1-9][0-9]{0,8})"
_TEXT = r'[ !#-\[\]-\x7f]*(?:\\["\\/bfnrt][ !#-\[\]-\x7f]*)*'  # beyond ASCII a parser looks at more than each byte

_USUAL = rf"""
data:\ \{{"id":"({_WORD})","object":"{_WORD}","created":[1-9][0-9]{{0,14}},"model":"({_WORD})",
"choices":\[(?:\{{
    "index":{_NUMBER},
    (?:"text":"({_TEXT})"|"delta":\{{(?:"role":"{_WORD}"(?:,(?=")|(?=\}})))?(?:"content":"({_TEXT})")?\}}),
    (?:"logprobs":null,)?
    "finish_reason":(?:null|"({_WORD})")
    (?:,"(?:stop_reason|matched_stop|token_ids)":null)*
\}})?\]
(?:,"usage":(?:null|\{{
    "prompt_tokens":({_NUMBER}),
    (?:"total_tokens":{_NUMBER},)?
    "completion_tokens":({_NUMBER})
    (?:,"total_tokens":{_NUMBER})?
    (?:,"prompt_tokens_details":(?:null|\{{"cached_tokens":({_NUMBER})\}}))?
\}}))?
(?:,"prompt_token_ids":null)?
\}}\n\n
"""

usual = re.compile(_USUAL.encode(), re.VERBOSE).fullmatch
"""Matches a piece that is one such event: its id, model, text, content, finish reason, and tokens of the prompt, of the
answer and from the cache."""
