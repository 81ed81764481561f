"""Whet's own settings: what they are, and what each may be. `setting_sources` finds their values.

vLLM's flags are vLLM's business and are not known here.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from types import NoneType
from typing import Annotated, Literal, get_args

import platformdirs
from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from adaptation.options import Strategy
from memory.embedder import EMBEDDERS, check_embedder
from memory.store.artifacts import Artifacts
from memory.store.postgres_url import parse_url
from memory.types import Frozen
from server.database_url import DatabaseUrl
from server.effort import DEFAULT, efforts

DEFAULT_TENANT = "default"
"""Whom a server without keys serves, and whom a command means that names nobody."""
TENANT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
DEVICE = re.compile(r"auto|cpu|cuda(:\d{1,3})?")


class ConfigError(Exception):
    """A setting is unknown or out of range; the message is one line that says which and where."""


class Settings(Frozen):
    """Everything Whet itself can be told; the docstring under a field is also its help text."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    data_dir: Path = Field(default_factory=lambda: default_data_dir())
    """folder of the database, where it is a file, the adapters, the snapshots and the converted
    models"""
    database_url: DatabaseUrl | None = None
    """PostgreSQL in place of the SQLite file in the data folder, as
    `postgresql://USER:PASSWORD@HOST/DATABASE`; `none` for the file"""
    artifacts: str | None = None
    """where servers on one database share the files of distilled adapters and of models: a folder,
    or an object store as `s3://BUCKET/PATH`"""
    strategy: Strategy = Strategy.CONSISTENCY
    """strategy of a request that asks for none"""
    effort: str = DEFAULT
    """strategy and samples for each `reasoning_effort`, as NAME=STRATEGY[/SAMPLES], ..."""
    embedder: str = "minilm"
    """`minilm`, `hashing` or a sentence-transformers folder; changing it re-embeds the memory"""
    recall_text: bool = True
    """neighbours are found by the rare words of a question too, such as codes and names"""
    max_samples: int = Field(default=16, ge=1, le=64)
    """upper bound on the votes of a request that names none"""
    confidence: float = Field(default=0.95, ge=0.5, lt=1.0)
    """a request that names none stops voting when the leader is this sure to be the mode"""
    temperature: float = Field(default=0.8, gt=0.0, le=2.0)
    """temperature of the votes of a request that names none"""
    temperatures: tuple[Annotated[float, Field(gt=0.0, le=2.0)], ...] = Field(
        default=(), max_length=64
    )
    """temperatures given in turn to the votes of a request that names none, such as `0.6,0.8,1.0`,
    in place of one for all"""
    stopping_rule: Literal["bayesian", "beta", "certain", "esc", "fixed"] = "bayesian"
    """what ends a vote: `bayesian` learns from past votes, `fixed` draws every sample"""
    sample_price: float = Field(default=0.002, ge=0.0, le=1.0)
    """what one more sample must gain in accuracy for the rule `bayesian` to draw it"""
    first_samples: int = Field(default=0, ge=0, le=64)
    """samples of a vote that are drawn before all others: what they foretell of those is not
    generated; 0: as many as could decide it, the quickest"""
    instructions: Path | None = None
    """file with an instruction in each line, given in turn to the votes after the first"""
    demonstrations: int = Field(default=4, ge=1, le=64)
    """solved neighbours that strategy `demonstrations` shows before the question, at most"""
    shadow_share: float = Field(default=0.0, ge=0.0, le=1.0)
    """share of the requests with verifiers whose vote needs no more, beside which `auto` tries
    another strategy all the same, to see what it is worth"""
    price_per_million: float | None = Field(default=None, ge=0)
    """what a million generated tokens cost, in any currency, for the ledger; `none`: not known"""
    price_per_million_trained: float | None = Field(default=None, ge=0)
    """the same of tokens that adapters are trained on"""
    free_text: Literal["medoid", "ask"] = "medoid"
    """how one of several free texts is chosen: by embeddings, or by asking the model"""
    reuse: bool = True
    """a question whose answer was verified before is answered with it, and nothing is generated"""
    one_sample: bool = True
    """no vote where `whet eval --calibrate` has shown that the first sample will do"""
    vote_weight: Literal[
        "count", "mean_logprob", "group_confidence", "length_normalised", "novelty"
    ] = "count"
    """what a vote weighs; `novelty`: the share of its steps that no vote before it had"""
    reward_model: Path | None = None
    """folder of a Hugging Face sequence classifier that scores the samples of `best_of_n`; `none`
    goes by how sure they are of their own tokens"""
    reward_device: str = "auto"
    """where that model scores: as `trainer_device`"""
    wall_s: float | None = Field(default=300.0, gt=0, le=3600)
    """seconds a voted request may take that names no deadline, more by default for a model that is
    slow on this machine; `none` for no deadline"""
    limit_samples: int = Field(default=64, ge=1, le=64)
    """most votes that a request may ask for"""
    limit_tokens: int | None = Field(default=None, ge=1)
    """most tokens that a voted request may generate, all samples together; `none` for no limit"""
    limit_wall_s: float | None = Field(default=None, gt=0, le=3600)
    """latest deadline that a voted request may ask for, in seconds; `none` for no limit"""
    refusals: Path | None = None
    """file of JSON lines with `request`, `refusal` and `compliance`: an adapter that shifts the
    model towards complying is refused"""
    train_steps: int | None = Field(default=None, ge=0, le=256)
    """optimiser steps of test-time training; 0 forbids it, `none` chooses from the model's size"""
    train_rank: int | None = Field(default=None, ge=1, le=32)
    """rank of the adapters trained per request; `none` chooses it from the model's size"""
    learning_rate: float | None = Field(default=None, gt=0, le=1)
    """learning rate of test-time training; `none` chooses it from the model's size"""
    train_timeout_s: float | None = Field(default=None, gt=0, le=3600)
    """seconds until a training job counts as hung; `none` chooses by a step timed at the start"""
    train_wait_s: float | None = Field(default=None, ge=0, le=3600)
    """a request that would wait longer than this for its training to begin votes at once; `none`
    waits as long as one training takes here, at least 20 seconds"""
    trainer_device: str = "auto"
    """where adapters are trained, of requests and of jobs: `cpu`, `cuda`, `cuda:1` for the second
    accelerator; `auto` takes the first where there is one"""
    neighbours: int = Field(default=48, ge=1, le=64)
    """records trained on per request"""
    candidates: int = Field(default=128, ge=1, le=1000)
    """records recalled, from which the neighbours are chosen"""
    min_similarity: float = Field(default=0.5, ge=-1.0, le=1.0)
    """cosine below which a record is no neighbour"""
    max_adapters: int = Field(default=4, ge=1, le=64)
    """per-request adapters alive at the same time"""
    max_champions: int = Field(default=2, ge=2, le=64)
    """distilled adapters in the engine at a time, of all tenants; one is the successor's of another
    that requests still use"""
    shared_samples: int | None = Field(default=None, ge=1)
    """samples in the engine at a time while several tenants ask: fewer slow each other less, and
    cost throughput; `none` is 16 on a CPU, and all that fit on an accelerator"""
    adapter_cache_mb: int = Field(default=1024, ge=0)
    """megabytes of accepted adapters kept for requests with the same neighbours; 0 keeps none"""
    idle_training: bool = False
    """without a request for five seconds, train for those that had no time to"""
    jobs: bool = True
    """do the offline jobs of this data folder: distillation and the like, one at a time, in a
    process of its own"""
    device_locks: Path = Field(default_factory=lambda: default_device_locks())
    """folder in which whoever trains on a device of this machine locks it; containers that share
    a device share the folder"""
    min_real_share: float = Field(default=0.2, ge=0, le=1)
    """of what a generation trains on, what people asked or brought; practice beyond it is left
    out"""
    max_written_share: float = Field(default=0.25, ge=0, le=1)
    """of what a generation trains on, questions that the model itself wrote"""
    completion_retention_days: float = Field(default=30.0, gt=0)
    """days for which feedback on a completion is accepted"""
    response_retention_days: float = Field(default=30.0, gt=0)
    """days for which a stored response is kept that is not gone on with"""
    requests_per_minute: int | None = Field(default=None, ge=1)
    """requests a minute of a tenant without limits of its own; `none`: no limit, likewise below"""
    tokens_per_minute: int | None = Field(default=None, ge=1)
    """tokens a minute that its requests read and generate, losing votes included"""
    concurrent_requests: int | None = Field(default=None, ge=1)
    """its requests at work at a time"""
    training_steps_per_day: int | None = Field(default=None, ge=0)
    """its steps of per-request training in a day (UTC)"""
    records_per_day: int | None = Field(default=None, ge=0)
    """its records made in a day (UTC): of answers, feedback, imports and practice"""
    files_mb: int | None = Field(default=1024, ge=0)
    """megabytes of its files, those that batches write included; beyond it none is taken"""
    responses_mb: int | None = Field(default=1024, ge=0)
    """megabytes of its stored responses and conversations; its oldest responses make room"""
    batch_requests: int = Field(default=8, ge=1, le=256)
    """requests of a batch at work at a time"""
    trusted_header: str | None = None
    """header in which a gateway that authenticates by itself names the tenant; it is believed with
    an admin key of the tenant `default`, and from everybody where there is no key at all"""
    allowed_hosts: tuple[str, ...] = ()
    """names besides localhost that this server may be asked by while it has no key"""
    tenant_metrics: bool = False
    """count requests and tokens by tenant in `/metrics`, which then holds the tenants' names"""
    engine_routes: bool = False
    """open the engine's own administrative routes to the operator"""
    notice_s: float = Field(default=0.0, ge=0, le=600)
    """seconds after SIGTERM for which requests are still taken while `/ready` says no: what a load
    balancer needs to notice"""
    drain_s: float = Field(default=5.0, ge=0, le=3600)
    """seconds after that within which requests under way may end by themselves, before they are
    answered with 503"""
    engine_restarts: int = Field(default=5, ge=0, le=100)
    """times that an engine which dies again and again is started anew; then the server ends"""
    engine_stall_s: float | None = Field(default=30.0, gt=0, le=3600)
    """seconds without a token until an engine that does nothing counts as hung, and is killed and
    started again; forty times as long for one that is at work; `none`: never"""
    champion_poll_s: float = Field(default=5.0, gt=0)
    """seconds between two looks for a newly promoted adapter"""
    champion_scope: Literal["near", "all"] = "near"
    """what a distilled adapter answers: questions near those it learned from, the rest being the
    base's, or all"""
    champion_similarity: float = Field(default=0.7, ge=-1.0, le=1.0)
    """cosine to a question it learned from, from which on one is near"""
    champion_share: float = Field(default=0.0, ge=0.0, lt=1.0)
    """share of the requests near it that a candidate answers, until how its answers fared decides;
    0 tries none"""
    champion_shadow: float = Field(default=0.0, ge=0.0, le=1.0)
    """share of the requests near it that a candidate answers unseen, before it answers any"""
    champion_holdback: float = Field(default=0.0, ge=0.0, lt=1.0)
    """share of the requests near it that a new champion leaves to what was served before, until how
    its answers fared decides whether it stays"""
    champion_autonomy: Literal["suggest", "approve", "auto"] = "auto"
    """what is done with a version that passed the gate: `suggest` reports it, `approve` waits for
    `whet adapters approve`, `auto` begins its release"""
    champion_archive: bool = False
    """a generation is trained on from a version drawn among all that were judged, not from the
    base"""
    max_concurrent_requests: int = Field(default=1024, ge=1)
    """requests answered at a time; further ones are refused with 503"""
    max_body_bytes: int = Field(default=32 * 2**20, ge=1024)
    """larger request bodies are refused with 413"""
    max_body_text: int = Field(default=2 * 2**20, ge=1024)
    """bytes of one request's body, for a model that takes text only; more are refused with 400"""
    body_timeout_s: float = Field(default=60.0, gt=0, le=3600)
    """seconds within which a request's body has to arrive; then it is refused with 408"""
    max_body_items: int = Field(default=1024, ge=1)
    """messages, tools and the like in one request; more are refused with 400"""
    max_body_parts: int = Field(default=20_000, ge=1)
    """objects, arrays and strings in one request's body; more are refused with 400"""
    max_body_values: int = Field(default=200_000, ge=1)
    """values in one request's body, numbers included; more are refused with 400"""
    max_body_depth: int = Field(default=100, ge=1)
    """levels of nesting in a request's body; more are refused with 400"""

    @property
    def champion_least(self) -> float | None:
        """From which cosine on a distilled adapter answers; None: it answers everything."""
        return self.champion_similarity if self.champion_scope == "near" else None

    @field_validator("*", mode="before")
    @classmethod
    def _none_spelt_out(cls, value: object, info: ValidationInfo) -> object:
        kind = cls.model_fields[str(info.field_name)].annotation
        return None if value == "none" and NoneType in get_args(kind) else value

    @field_validator("temperatures", "allowed_hosts", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return () if value in ("", "none") else tuple(value.split(","))

    @field_validator("embedder")
    @classmethod
    def _known_embedder(cls, name: str) -> str:
        folder = Path(name).expanduser().absolute()
        if name in EMBEDDERS or not folder.is_dir():
            return check_embedder(name)
        return str(folder)

    @field_validator("database_url")
    @classmethod
    def _readable(cls, url: DatabaseUrl | None) -> DatabaseUrl | None:
        if url is not None:
            parse_url(url.get_secret_value())
        return url

    @field_validator("artifacts")
    @classmethod
    def _usable(cls, url: str | None) -> str | None:
        if url is not None:
            Artifacts(url)
        return url

    @field_validator("trainer_device", "reward_device")
    @classmethod
    def _device(cls, name: str) -> str:
        if not DEVICE.fullmatch(name):
            raise ValueError("it is none of auto, cpu, cuda and cuda:N, N counted from 0")
        return name

    @field_validator("effort")
    @classmethod
    def _known_efforts(cls, text: str) -> str:
        efforts(text)
        return text

    @field_validator("data_dir", "device_locks", "reward_model")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path and path.expanduser().absolute()


def default_data_dir() -> Path:
    """Return the platform's folder for a user's data."""
    return platformdirs.user_data_path("whet", appauthor=False)


def default_device_locks() -> Path:
    """Return the machine's folder for temporary files."""
    return Path(tempfile.gettempdir())
