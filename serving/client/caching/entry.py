"""Entry: a reply as bytes, and back. Values are checked on their way out: other hands can reach most stores."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from typing import Any

from ....agents.model import ModelReply, ToolCall, Usage

_PLAIN, _PACKED = b"\x01", b"\x02"
_WORTH_PACKING = 512
_HEAD = 5


def is_whole(reply: ModelReply) -> bool:
    """Whether a reply may be given again: it ended by itself, and says something."""
    if reply.finish_reason == "tool_calls":
        return bool(reply.tool_calls)
    return reply.finish_reason == "stop" and bool(reply.text or reply.tool_calls)


def pack(reply: ModelReply) -> bytes:
    """The reply as bytes. Raises ValueError or TypeError: it holds what JSON cannot say."""
    said: dict[str, Any] = {
        "text": reply.text,
        "finish": reply.finish_reason,
        "model": reply.model,
        "tokens": reply.usage.total_tokens or reply.usage.saved_tokens,
    }
    if reply.tool_calls:
        said["calls"] = [[call.id, call.name, call.arguments] for call in reply.tool_calls]
    body = json.dumps(said, separators=(",", ":")).encode()
    kind = _PLAIN
    if len(body) > _WORTH_PACKING:
        kind, body = _PACKED, zlib.compress(body, 1)
    return kind + zlib.crc32(body).to_bytes(4, "big") + body


def unpack(value: bytes) -> ModelReply:
    """The reply that was packed; its usage says only what it saved. Raises ValueError: this is none."""
    kind, check, body = value[:1], value[1:_HEAD], value[_HEAD:]
    if kind not in (_PLAIN, _PACKED) or zlib.crc32(body).to_bytes(4, "big") != check:
        raise ValueError("this is no kept reply, or it is damaged")
    try:
        said = json.loads(zlib.decompress(body) if kind == _PACKED else body)
        return ModelReply(
            said["text"],
            said["finish"],
            Usage(saved_tokens=said["tokens"]),
            said["model"],
            tuple(ToolCall(*call) for call in said.get("calls", ())),
        )
    except (zlib.error, KeyError, TypeError) as error:
        raise ValueError("this is no kept reply") from error


def shared(reply: ModelReply) -> ModelReply:
    """The reply as those get it who did not pay for it."""
    usage = Usage(saved_tokens=reply.usage.total_tokens or reply.usage.saved_tokens)
    return replace(reply, usage=usage)
