"""Where an answer comes from and what came of it: answers, records, versions, jobs and files.

Owns how they hang together, both ways. Knows nothing of how a trace is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select

from memory.errors import NotFoundError
from memory.history.completions import CompletionLog
from memory.history.files import FileStore, StoredFile
from memory.offline.job import Job, JobKind
from memory.offline.jobs import JobStore
from memory.records import RecordStore
from memory.rows import moment
from memory.store.database import Database
from memory.store.schema import adapter, completion, job, lineage
from memory.types import AdapterVersion, Completion, Frozen, Record
from memory.versions.adapter_versions import aliases_in
from memory.versions.adapters import AdapterRegistry
from memory.versions.candidates import CandidateStore
from memory.versions.model_names import is_model_name

Kind: TypeAlias = Literal["answer", "record", "adapter", "job", "file"]
JOBS = ("job_", "ftjob-")
"""What the ids of jobs begin with."""
READ = ("training_file", "validation_file", "file")
"""What the request of a job calls the files that it reads."""
MOST_LINKS = 20
"""Most links of one relation: an adapter may have learned from thousands of records."""
MOST_THINGS = 500
"""Most things of one walk: everything hangs together in the end."""


class Link(Frozen):
    """How one thing hangs together with another."""

    relation: str
    """What the other is to it, such as `trained on` or `served`."""
    ids: tuple[str, ...]
    """Up to `MOST_LINKS`."""
    total: int
    """How many there are."""


class Traced(Frozen):
    """An answer, a record, a version, a job or a file, and what it hangs together with."""

    kind: Kind
    id: str
    facts: dict[str, Any]
    links: tuple[Link, ...]


class Lineage:
    """Looks at one thing at a time."""

    def __init__(
        self,
        database: Database,
        completions: CompletionLog,
        records: RecordStore,
        adapters: AdapterRegistry,
    ) -> None:
        self._database, self._completions = database, completions
        self._records, self._adapters = records, adapters
        self._candidates, self._files = CandidateStore(database), FileStore(database)
        self._jobs = JobStore(database)

    def look(self, tenant: str, thing_id: str) -> Traced:
        """Return what a tenant's answer, record, version, job or file hangs together with.

        A fine-tuned model's name is as good as its version's id. Raises `NotFoundError`.
        """
        if thing_id.startswith("rec_"):
            return self._record(tenant, self._records.get(tenant, thing_id))
        if thing_id.startswith("ad_"):
            return self._adapter(tenant, self._adapters.show(tenant, thing_id))
        if is_model_name(thing_id):
            return self._adapter(tenant, self._model(tenant, thing_id))
        if thing_id.startswith(JOBS):
            return self._job(self._jobs.get(tenant, thing_id))
        if thing_id.startswith("file-"):
            return self._file(self._files.get(tenant, thing_id))
        return self._answer(self._completion(tenant, thing_id))

    def walk(self, tenant: str, thing_id: str, depth: int) -> Iterator[Traced]:
        """Yield a thing and what it hangs together with, nearest first, up to `depth` links away.

        They are the `MOST_THINGS` nearest. What is gone by now is left out; the first one's absence
        raises `NotFoundError`.
        """
        first = self.look(tenant, thing_id)
        yield first
        seen, edge = {thing_id, first.id}, [first]
        for _ in range(depth):
            ids = dict.fromkeys(i for thing in edge for link in thing.links for i in link.ids)
            new = [i for i in ids if i not in seen][: max(0, MOST_THINGS - len(seen))]
            seen.update(new)
            edge = [found for i in new if (found := self._there(tenant, i))]
            yield from edge

    def _there(self, tenant: str, thing_id: str) -> Traced | None:
        try:
            return self.look(tenant, thing_id)
        except NotFoundError:
            return None

    def _completion(self, tenant: str, completion_id: str) -> Completion:
        """Return an answer; the first, where several prompts have one id with the client."""
        try:
            return self._completions.get(tenant, completion_id)
        except NotFoundError:
            try:
                return self._completions.get(tenant, f"{completion_id}-0")
            except NotFoundError:
                told = "no answer that is still kept (`completion_retention_days`), record, version"
                raise NotFoundError(f"{told}, model, job or file {completion_id}") from None

    def _model(self, tenant: str, name: str) -> AdapterVersion:
        version = self._adapters.alias(tenant, name)
        if version is None:
            raise NotFoundError(f"no model {name}")
        return version

    def _answer(self, answer: Completion) -> Traced:
        report = answer.report or {}
        trained = report.get("adapter") or {}
        neighbours = [each["id"] for each in report.get("neighbours") or ()]
        remembered = (report.get("memory") or {}).get("reused")
        role = "trained on" if trained.get("accepted") else "recalled"
        facts = {
            "strategy": report.get("strategy"),
            "answer": answer.answer,
            "agreement": report.get("agreement"),
            "model": answer.model,
            "asked": answer.created_at,
        }
        links = (
            _link("served through", [answer.adapter, trained.get("parent")], only="ad_"),
            _link("taken from", [remembered]),
            _link(role, neighbours),
            _link("saved as", [answer.record_id if answer.record_id != remembered else None]),
        )
        return _traced("answer", answer.id, facts, links)

    def _record(self, tenant: str, record: Record) -> Traced:
        learned = select(lineage.c.adapter_id).where(lineage.c.record_id == record.id)
        origin = _origins(record.evidence)
        mine = and_(completion.c.record_id == record.id, completion.c.id.not_in(origin))
        with self._database.reading(tenant) as connection:
            adapters = _found(connection, learned)
            answers, total = _newest(connection, tenant, mine)
        facts = {
            "state": record.state.value,
            "tier": record.tier.value,
            "answer": record.answer,
            "task": record.task,
            "model": record.model,
            "created": record.created_at,
        } | self._scores(tenant, record.id)
        links = (
            _link("came from", origin),
            _link("answered", answers, total),
            _link("taught", adapters),
            _link("generated through", [record.adapter], only="ad_"),
        )
        return _traced("record", record.id, facts, links)

    def _scores(self, tenant: str, record_id: str) -> dict[str, Any]:
        """Return the newest scores of a record, where a generation has considered it."""
        considered = self._candidates.of_record(tenant, record_id)
        if not considered:
            return {}
        scores, names = considered[0].scores, ("difficulty", "perplexity", "novelty", "influence")
        return {name: getattr(scores, name) for name in names}

    def _adapter(self, tenant: str, version: AdapterVersion) -> Traced:
        with self._database.reading(tenant) as connection:
            served, total = _newest(connection, tenant, completion.c.adapter == version.id)
            named = [n for n, of in aliases_in(connection, tenant).items() if of == version.id]
            distilled = _found(connection, _distilling(tenant, version.id))
        facts = {
            "name": ", ".join(filter(is_model_name, named)),
            "base": version.base_model,
            "chosen by": (version.metrics.get("selection") or {}).get("policy"),
            "decision": version.metrics.get("decision"),
            "rejected": version.rejected,
            "retired": version.retired.reason if version.retired else None,
            "created": version.created_at,
        }
        heir = version.retired.replaced_by if version.retired else None
        links = (
            _link("trained on", version.record_ids),
            _link("fine-tuned on", [version.metrics.get("training_file")]),
            _link("made by", [version.metrics.get("job"), *distilled]),
            _link("grew from", [version.parent]),
            _link("replaced by", [heir]),
            _link("served", served, total),
        )
        return _traced("adapter", version.id, facts, links)

    def _job(self, job: Job) -> Traced:
        tuned = adapter.c.metrics["job"].as_string() == job.id
        with self._database.reading(job.tenant) as connection:
            mine = select(adapter.c.id).where(adapter.c.tenant == job.tenant, tuned)
            adapters = _found(connection, mine.order_by(adapter.c.created_at.desc()))
        result = job.result or {}
        distilled = [result.get("adapter")] if job.kind is JobKind.DISTILL else []
        facts = {
            "what": job.kind.value,
            "status": job.status.value,
            "model": job.request.get("model"),
            "created": moment(job.created_at),
            "ended": None if job.ended_at is None else moment(job.ended_at),
            "error": job.error,
        }
        links = (
            _link("read", [job.request.get(name) for name in READ]),
            _link("made", distilled or adapters),
            _link("wrote", result.get("result_files") or ()),
        )
        return _traced("job", job.id, facts, links)

    def _file(self, file: StoredFile) -> Traced:
        tuned = adapter.c.metrics["training_file"].as_string() == file.id
        with self._database.reading(file.tenant) as connection:
            mine = select(adapter.c.id).where(adapter.c.tenant == file.tenant, tuned)
            adapters = _found(connection, mine.order_by(adapter.c.created_at.desc()))
        facts = {"name": file.name, "bytes": file.bytes, "created": moment(file.created_at)}
        return _traced("file", file.id, facts, (_link("taught", adapters),))


def _distilling(tenant: str, adapter_id: str) -> Select[Any]:
    """Return what finds the jobs that distilled a version: those of older ones do not name them."""
    mine = (job.c.tenant == tenant) & (job.c.kind == JobKind.DISTILL)
    return select(job.c.id).where(mine, job.c.result["adapter"].as_string() == adapter_id)


def _origins(evidence: Any) -> list[str]:
    """Return the answers that vouch for a record, the first one first."""
    told = [evidence, *(each["evidence"] for each in evidence.get("confirmations", ()))]
    return list(dict.fromkeys(e["completion"] for e in told if e.get("completion")))


def _found(connection: Connection, query: Select[Any]) -> list[str]:
    return list(connection.execute(query).scalars())


def _newest(
    connection: Connection, tenant: str, condition: ColumnElement[bool]
) -> tuple[list[str], int]:
    """Return a tenant's newest answers of a condition, up to `MOST_LINKS`, and how many it has."""
    mine = completion.c.tenant == tenant, condition
    newest = select(completion.c.id).where(*mine).order_by(completion.c.created_at.desc())
    count = select(func.count()).select_from(completion).where(*mine)
    return _found(connection, newest.limit(MOST_LINKS)), connection.execute(count).scalar_one()


def _link(relation: str, ids: Any, total: int | None = None, *, only: str = "") -> Link:
    found = tuple(dict.fromkeys(i for i in ids if i and i.startswith(only)))
    return Link(relation=relation, ids=found[:MOST_LINKS], total=total or len(found))


def _traced(kind: Kind, thing_id: str, facts: dict[str, Any], links: tuple[Link, ...]) -> Traced:
    told = {name: value for name, value in facts.items() if value not in (None, "")}
    return Traced(kind=kind, id=thing_id, facts=told, links=tuple(li for li in links if li.ids))
