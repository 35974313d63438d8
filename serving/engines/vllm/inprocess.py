"""Owns `InProcessVllm`: a model client over vLLM's `AsyncLLM` in this very process, without HTTP in between.

Needs a Python environment in which vLLM can be imported; crewgraph itself needs nothing more on this way than what
vLLM brings (pydantic and msgspec among it). Nothing of vLLM is imported before `in_process` is called.
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
import os
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from ....agents.live import require_live
from ....agents.model import (
    FinishReason,
    Message,
    ModelClient,
    ModelDelta,
    ModelReply,
    ModelRequest,
    Usage,
)
from ....runtime.errors import (
    ContextTooLong,
    EngineError,
    EngineTimeout,
    EngineUnreachable,
    InvalidRequest,
    ModelError,
    UnknownModel,
)
from ...client.answers.checked import Checked

_FINISH: dict[str, FinishReason] = {"length": "length", "abort": "cancelled"}
_QUIET = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}


@asynccontextmanager
async def in_process(
    model: Path,
    *,
    name: str | None = None,
    adapters: Mapping[str, Path] | None = None,
    options: Mapping[str, Any] | None = None,
) -> AsyncIterator[Checked]:
    """A model served inside this process for a block of code; its replies are checked, and tools work by schema.

    `model` is a folder with weights, `name` what requests call it (the folder's name unless given), `adapters` are LoRA
    adapters. `options` are vLLM's engine arguments, such as ``{"max_model_len": 4096}``. Several processes of vLLM's own
    still run where it wants them. Raises `EngineError`: vLLM is not here, or cannot serve the model.
    """
    require_live("vLLM was to be started in this process")
    await asyncio.to_thread(_require_vllm)
    client = _opened(model, name, adapters or {}, options or {})
    try:
        yield Checked(client)
    finally:
        await client.aclose()


def _require_vllm() -> None:
    """Import vLLM. Raises `EngineError`: it is not in this environment."""
    for variable, value in _QUIET.items():
        os.environ.setdefault(variable, value)
    try:
        importlib.import_module("vllm")
    except ImportError as error:
        raise EngineError(
            f"vLLM cannot be imported here ({error}); run this program with the Python of an environment that has it, "
            "or serve it with 'crewgraph engine start vllm'."
        ) from error


def _opened(
    model: Path, name: str | None, adapters: Mapping[str, Path], options: Mapping[str, Any]
) -> InProcessVllm:
    arguments: Any = importlib.import_module("vllm.engine.arg_utils")
    engines: Any = importlib.import_module("vllm.v1.engine.async_llm")
    said: dict[str, Any] = {
        "enable_prefix_caching": True,
        "scheduling_policy": "priority",
        "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
        "enable_log_requests": False,
    }
    if adapters:
        said |= {"enable_lora": True, "max_loras": len(adapters)}
    try:
        engine = engines.AsyncLLM.from_engine_args(
            arguments.AsyncEngineArgs(model=str(model), **said | dict(options))
        )
    except Exception as error:
        raise EngineError(f"vLLM cannot serve {model} in this process: {error}") from error
    return InProcessVllm(engine, name or model.name, adapters)


class InProcessVllm(ModelClient):
    """Speaks to a running `AsyncLLM`, which is shut down when this is closed.

    Replies are not checked here (see `Checked`, which `in_process` puts around it), and tools are not known.
    """

    def __init__(self, engine: Any, name: str, adapters: Mapping[str, Path] | None = None) -> None:
        self._engine: Any = engine
        self._name = name
        self._adapters = {a: (n, path) for n, (a, path) in enumerate((adapters or {}).items(), 1)}
        self._numbers = itertools.count(1)
        self._own = secrets.token_hex(4)
        self._tokenizer: Any = engine.get_tokenizer()
        self._window = int(engine.model_config.max_model_len)

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The whole reply to one request."""
        async with aclosing(self.stream(request)) as deltas:
            async for delta in deltas:
                if delta.reply is not None:
                    return delta.reply
        raise ModelError(f"The reply of {self._name} ended without an end; try again.")

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The reply as it is written; the last delta has no text of its own and carries the whole reply."""
        asked = self._arguments(request)
        pieces: list[str] = []
        prompt = written = cached = 0
        finish: str | None = None
        errors: Any = importlib.import_module("vllm.v1.engine.exceptions")
        try:
            async with (
                asyncio.timeout(request.timeout_s),
                aclosing(self._engine.generate(**asked)) as outputs,
            ):
                async for output in outputs:
                    prompt = len(output.prompt_token_ids or ()) or prompt
                    cached = output.num_cached_tokens or cached
                    first = output.outputs[0]
                    written += len(first.token_ids)
                    finish = first.finish_reason or finish
                    if first.text:
                        pieces.append(first.text)
                        yield ModelDelta(first.text)
        except TimeoutError as error:
            raise EngineTimeout(
                f"{self._name} was not done within {request.timeout_s:g} s; it was stopped."
            ) from error
        except errors.EngineDeadError as error:
            raise EngineUnreachable("vLLM in this process has died; start the program again.") from error
        except ValueError as error:
            raise InvalidRequest(f"vLLM refuses the request: {error}") from error
        usage = Usage(prompt, written, cached)
        reply = ModelReply("".join(pieces), _FINISH.get(finish or "stop", "stop"), usage, self._name)
        yield ModelDelta("", reply)

    async def models(self) -> list[str]:
        """The one model."""
        return [self._name]

    async def count_tokens(self, request: ModelRequest) -> int:
        """How many tokens the request's messages are, with the model's chat template."""
        return len(self._prompt(request))

    async def context_tokens(self, model: str | None = None) -> int | None:
        """How many tokens prompt and reply may have together."""
        return self._window

    async def aclose(self) -> None:
        """Shut the engine down."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await asyncio.to_thread(engine.shutdown)

    def _arguments(self, request: ModelRequest) -> dict[str, Any]:
        if self._engine is None:
            raise EngineError("This model client has been closed; make a new one.")
        if request.model not in (None, self._name):
            raise UnknownModel(
                f"There is no model {request.model!r} in this process; there is: {self._name}."
            )
        if request.tools:
            raise InvalidRequest("vLLM in this process knows no tools; put `Checked` around it.")
        prompt = self._prompt(request)
        if (over := len(prompt) + request.max_tokens - self._window) > 0:
            raise ContextTooLong(
                f"The prompt is {len(prompt)} tokens and the reply may be {request.max_tokens}, {over} more than the "
                f"{self._window} that {self._name} takes; shorten the prompt, or ask for less.",
                over,
            )
        hints = request.hints
        told: dict[str, Any] = {"prompt_token_ids": prompt}
        if hints is not None and hints.tenant:
            told["cache_salt"] = hints.tenant
        run = hints.run if hints is not None and hints.run else "crewgraph"
        return {
            "prompt": told,
            "sampling_params": self._sampling(request),
            "request_id": f"{run}-{self._own}-{next(self._numbers)}",
            "lora_request": self._lora(request.adapter),
            "priority": hints.priority if hints is not None else 0,
        }

    def _prompt(self, request: ModelRequest) -> list[int]:
        tokens: list[int] = self._tokenizer.apply_chat_template(
            [_said(message) for message in request.messages],
            tokenize=True,
            return_dict=False,
            add_generation_prompt=not request.continue_last,
            continue_final_message=request.continue_last,
        )
        return tokens

    def _sampling(self, request: ModelRequest) -> Any:
        params: Any = importlib.import_module("vllm.sampling_params")
        constraint: dict[str, Any] = {
            "json": request.schema,
            "choice": list(request.choices) or None,
            "regex": request.regex,
            "grammar": request.grammar,
        }
        constraint = {name: value for name, value in constraint.items() if value is not None}
        if len(constraint) > 1:
            raise InvalidRequest(
                f"A request is constrained in one way, not by {' and '.join(constraint)}; drop one."
            )
        return params.SamplingParams(
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            top_p=request.top_p,
            seed=request.seed,
            stop=list(request.stop) or None,
            output_kind=params.RequestOutputKind.DELTA,
            structured_outputs=params.StructuredOutputsParams(**constraint) if constraint else None,
        )

    def _lora(self, adapter: str | None) -> Any:
        if adapter is None:
            return None
        if adapter not in self._adapters:
            there = ", ".join(self._adapters) or "none"
            raise UnknownModel(f"There is no adapter {adapter!r} on {self._name}; it has: {there}.")
        number, path = self._adapters[adapter]
        return importlib.import_module("vllm.lora.request").LoRARequest(adapter, number, str(path))


def _said(message: Message) -> dict[str, Any]:
    """A message as chat templates take it."""
    said: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        said["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        said["tool_call_id"] = message.tool_call_id
    return said
