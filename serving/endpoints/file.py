"""Owns ``models.toml``: which engines there are, which models they serve, and what holds for each."""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ...runtime.errors import InvalidInput
from ...runtime.journalling.redaction import Redactor
from ..client.dialects.dialect import EngineKind
from ..settings import Price, Settings

EMBEDDED = "embedded"
"""The URL that stands for the engine that crewgraph brings up itself."""
OTHERS = "default"
"""The table that holds for all models, or tenants, that have none of their own."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EngineTable(_Table):
    """``[engine.NAME]``: one server.

    `url` is its base URL, or "embedded". `key_env` names the environment variable that holds its key; without it, none is
    sent. `kind` is found out where it is not said, and so is what it serves (`models`), and whether its chat template
    takes tools (`native_tools`). `weight` is its share beside other engines' of the same model. `price` is what a million
    tokens cost, as "0.15/0.60". `extra` are fields that go with every chat request. `read_timeout_s` bounds the silence
    between two pieces of a reply.
    """

    url: str
    key_env: str | None = None
    kind: EngineKind | None = None
    weight: float = Field(default=1.0, gt=0)
    models: tuple[str, ...] = ()
    native_tools: bool | None = None
    price: str | None = None
    extra: dict[str, Any] = {}
    read_timeout_s: float = Field(default=600.0, gt=0)

    @field_validator("price")
    @classmethod
    def _is_price(cls, text: str | None) -> str | None:
        if text is not None:
            try:
                price = Price.parse(text)
            except InvalidInput:
                price = Price(math.nan, math.nan)
            if not math.isfinite(price.prompt + price.completion):
                raise ValueError(
                    f"{text!r} is no price: write what a million tokens of prompt and of reply cost, "
                    'as "0.15/0.60"'
                )
        return text

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        if url != EMBEDDED and not _is_url(url):
            raise ValueError(f'{url!r} is no URL: write "http://HOST:PORT/v1", or "{EMBEDDED}"')
        return url

    @property
    def key(self) -> str | None:
        """The key itself. Raises `InvalidInput`: the variable that is to hold it is not set."""
        if self.key_env is None:
            return None
        key = os.environ.get(self.key_env)
        if not key:
            raise InvalidInput(
                f"The key for {self.url} is to be in {self.key_env}, which is not set: set it."
            )
        return key


class RateTable(_Table):
    """Requests and tokens a minute; what is not said is not limited."""

    requests_per_minute: float | None = Field(default=None, gt=0)
    tokens_per_minute: float | None = Field(default=None, gt=0)


class ModelTable(RateTable):
    """``[model.NAME]``: how one model is served; ``[model.default]``: how all are that have no table of their own.

    `engines` are those that serve it (left out: all that list it), and `spread` is how calls go over them. `fallback`
    are models to ask instead, in this order, where none of its engines answers or its limit is used up. After
    `hedge_after_s` a second call is made beside one that has not begun to answer. `timeout_s` bounds calls that bring
    no limit of their own.
    """

    engines: tuple[str, ...] = ()
    spread: Literal["affine", "least-loaded", "weighted"] = "affine"
    fallback: tuple[str, ...] = ()
    hedge_after_s: float | None = Field(default=None, gt=0)
    timeout_s: float | None = Field(default=None, gt=0)


class CacheTable(_Table):
    """``[cache]``: replies that are kept.

    `store` is a file or a URL (``redis://``, ``memcached://``; left out: a file in the home folder), `ttl_s` how long a
    reply is good. With `semantic`, the least cosine of two questions that mean the same, questions in other words are
    answered too; `embedder` is the model that makes their vectors (left out: all-MiniLM-L6-v2, on this machine), and
    `vectors` where they are kept.
    """

    store: str | None = None
    ttl_s: float | None = Field(default=None, gt=0)
    semantic: float | None = Field(default=None, gt=0, le=1)
    embedder: str | None = None
    vectors: str = ":memory:"


class ModelsFile(_Table):
    """The whole file. `default` is the model that is asked where nobody names one; left out: the first one listed.

    ``[tenant.NAME]`` is what one tenant may ask of each model in a minute, ``[tenant.default]`` what each of the others
    may.
    """

    default: str | None = None
    engine: dict[str, EngineTable] = {}
    model: dict[str, ModelTable] = {}
    tenant: dict[str, RateTable] = {}
    cache: CacheTable | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not self.engine:
            raise ValueError("it names no engine: write [engine.NAME] and its url")
        for name, model in self.model.items():
            for engine in model.engines:
                if engine not in self.engine:
                    raise ValueError(
                        f"model.{name}.engines names {engine!r}, and there are: {', '.join(self.engine)}"
                    )
            if name in model.fallback:
                raise ValueError(f"model.{name}.fallback names the model itself")
        return self

    @classmethod
    def of_urls(cls, urls: tuple[str, ...], default: str | None = None, cache: str | None = None) -> Self:
        """What there is where only URLs are given."""
        engines = {f"engine{number}": EngineTable(url=url) for number, url in enumerate(urls, 1)}
        return cls(default=default, engine=engines, cache=None if cache is None else CacheTable(store=cache))


def read_models(file: Path) -> ModelsFile | None:
    """What the file says; None where there is none.

    Raises:
        InvalidInput: it is no TOML, or something in it does not fit; the message says where.
    """
    try:
        table = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidInput(f"The models file {file} cannot be read: {error.strerror or error}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"The models file {file} cannot be read: {error}.") from None
    return _checked(table, file)


def keys_in(settings: Settings) -> tuple[str, ...]:
    """The keys of the models file's engines, as far as they are there: what must never be written down."""
    try:
        file = read_models(settings.models_file)
    except InvalidInput:
        return ()  # whoever wants a model is told
    named = [table.key_env for table in file.engine.values()] if file is not None else []
    return tuple(key for name in named if name and (key := os.environ.get(name)))


def redactor_of(settings: Settings) -> Redactor:
    """What takes the secrets out that this process was given."""
    return Redactor([*settings.secrets, *keys_in(settings)])


def models_of(settings: Settings) -> ModelsFile:
    """The engines that are meant: those of the settings' URLs, else of the models file, else the embedded one.

    Raises:
        InvalidInput: the file does not fit, or a URL is none.
    """
    if settings.model_urls:
        try:
            return ModelsFile.of_urls(settings.model_urls, settings.model, settings.cache)
        except ValidationError as error:
            raise InvalidInput(f"{_said(error)[1]}; correct CREWGRAPH_MODEL_URL.") from None
    found = read_models(settings.models_file) or ModelsFile.of_urls((EMBEDDED,))
    more: dict[str, Any] = {}
    if settings.model is not None:
        more["default"] = settings.model
    if settings.cache is not None:
        more["cache"] = (found.cache or CacheTable()).model_copy(update={"store": settings.cache})
    return found.model_copy(update=more)


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # its port is none
        return False


def _checked(table: Mapping[str, Any], file: Path) -> ModelsFile:
    try:
        return ModelsFile.model_validate(table)
    except ValidationError as error:
        where, what = _said(error)
        raise InvalidInput(f"{file}: {f'{where}: ' if where else ''}{what}.") from None


def _said(error: ValidationError) -> tuple[str, str]:
    """Where the first fault is, and what it is."""
    # A name that is not known comes first: one that is missing is most often only written otherwise.
    first = min(error.errors(include_url=False), key=lambda found: found["type"] != "extra_forbidden")
    what = first["msg"].removeprefix("Value error, ").rstrip(".")
    if first["type"] == "extra_forbidden":
        what = "there is nothing of that name"
    return ".".join(str(part) for part in first["loc"]), what
