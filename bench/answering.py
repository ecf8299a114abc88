"""A loopback provider that costs almost nothing itself: one canned reply, whole or streamed, as OpenRouter words it.

`python -m bench.answering` prints its address and answers until its input ends. Under /whole, whoever asks for a
stream is answered whole all the same, as by some providers.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

MODEL = "anthropic/claude-3-haiku"
REPLY = "I am here, the machine is quiet, and nobody has written. I will keep my money and look at the clock again. "
PIECES = REPLY.split(" ")
USAGE = {
    "prompt_tokens": 420,
    "completion_tokens": len(PIECES),
    "total_tokens": 420 + len(PIECES),
    "cost": 0.0001325,
    "prompt_tokens_details": {"cached_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0},
}
HEAD = "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nX-Generation-Id: gen-{}\r\n{}\r\n\r\n"
END = b"0\r\n\r\n"


class Answering(asyncio.Protocol):
    """One connection, kept alive: whatever is posted is answered."""

    answered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "a TCP server hands out nothing else"
        self._transport = transport
        self._heard = b""

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head, end, body = self._heard.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return
        self._heard = b""
        Answering.answered += 1
        streamed = json.loads(body).get("stream") is True and not head.startswith(b"POST /whole/")
        self._transport.write((_streamed if streamed else _whole)(Answering.answered))


def _length(head: bytes) -> int:
    lines = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    return next((int(value) for name, _, value in lines if name == b"content-length"), 0)


def _frame(number: int, kind: str, choice: dict[str, Any], **more: Any) -> bytes:
    frame = {"id": f"gen-{number}", "object": kind, "created": 1_795_000_000, "model": MODEL, "provider": "Anthropic"}
    return json.dumps(frame | {"choices": [{"index": 0} | choice]} | more).encode()


def _whole(number: int) -> bytes:
    message = {"message": {"role": "assistant", "content": REPLY}, "finish_reason": "stop"}
    body = _frame(number, "chat.completion", message, usage=USAGE)
    return HEAD.format("application/json", number, f"Content-Length: {len(body)}").encode() + body


def _streamed(number: int) -> bytes:
    deltas = [{"role": "assistant", "content": f"{piece} "} for piece in PIECES]
    kind = "chat.completion.chunk"
    frames = [_frame(number, kind, {"delta": delta, "finish_reason": None}) for delta in deltas]
    frames.append(_frame(number, kind, {"delta": {"content": ""}, "finish_reason": "stop"}, usage=USAGE))
    head = HEAD.format("text/event-stream", number, "Transfer-Encoding: chunked").encode()
    events = [b": OPENROUTER PROCESSING\n\n", *(b"data: %b\n\n" % frame for frame in frames), b"data: [DONE]\n\n"]
    return head + b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in events) + END


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/v1", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
