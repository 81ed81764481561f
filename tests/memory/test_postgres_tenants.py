"""PostgreSQL's policies: a query that names no tenant sees its own transaction's, and no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Table, delete, func, insert, select, text, update
from sqlalchemy.exc import ProgrammingError

from loadtests.postgres import OWNER, Cluster
from memory.embedding.hashing import HashingEmbedder
from memory.errors import StorageUnavailableError
from memory.history.files import NewFile
from memory.history.items import Item
from memory.history.stored_response import StoredResponse, Written
from memory.history.traced import Traced
from memory.keys import NewKey
from memory.memory import LongTermMemory
from memory.offline.batch import BatchDetails, NewBatch
from memory.offline.evaluation import EvaluationDetails, NewEvaluation, NewRun, RunDetails
from memory.offline.job import JobKind, NewJob
from memory.offline.schedule import NewSchedule
from memory.quota_claims import Claim
from memory.store.database import open_database
from memory.store.row_security import POLICY
from memory.store.schema import completion as completions
from memory.store.schema import embedding, file, file_part, head, metadata, record
from memory.store.scope import EVERYONE
from memory.tenants import Limits
from memory.types import Completion, Draft, Trial
from memory.versions.adapters import NewVersion
from memory.versions.candidates import WorkedSolution
from memory.versions.judgements import Judgement
from memory.versions.release import Stage
from memory.versions.shadows import Shadow
from tests.memory.adapters_made import write_adapter
from tests.memory.candidates_made import candidate, choice
from tests.memory.older import connected
from tests.memory.test_request_traces import REPORT

Build = Callable[..., Draft]
Note = Callable[..., Completion]


@pytest.fixture
def url(postgres: Cluster, migrated_url: str) -> Iterator[str]:
    made = postgres.database(migrated_url)
    yield made
    postgres.drop(made)


def judged(tenant: str) -> Judgement:
    """Return what a gate found."""
    return Judgement(
        tenant=tenant,
        base_model="base",
        adapter_id="ad_1",
        promoted=False,
        alpha=0.025,
        e_value=1.0,
        helped=1,
        hurt=1,
        before=0.5,
        after=0.5,
        train=16,
        seconds=1.0,
        record_ids=(),
        alarms=(),
    )


@pytest.fixture
def memory(url: str, tmp_path: Path, draft: Build, completion: Note) -> Iterator[LongTermMemory]:
    """A memory in which both tenants have something in every table that is theirs."""
    opened = LongTermMemory.open(tmp_path, HashingEmbedder(64), database_url=url)
    for tenant in ("ann", "bob"):
        saved = opened.save(draft(f"{tenant}'s question", tenant=tenant))
        seen = {"report": REPORT, "traced": Traced(1.0)}
        opened.completions.append(completion("c1", f"{tenant}'s", tenant=tenant, **seen))
        opened.notes.add(tenant, "sums", "What is 6 * 7?", ["carry the one"])
        opened.ledger.note(tenant, [("t1", Trial(strategy="plain"))])
        opened.keys.create(NewKey(tenant=tenant, role="user", hint="x", digest=tenant))
        opened.tenants.set(tenant, Limits(files_mb=1))
        opened.quota_counts.settle("a server", {tenant: Claim(Limits(), steps=1)})
        opened.calibrations.set(tenant, "base", {"bar": 0.5})
        made = opened.files.create(NewFile(tenant=tenant, name="f", purpose="batch"), [b"x"])
        asked = {"tenant": tenant, "endpoint": "/v1/embeddings", "input_file_id": made.id}
        new = NewBatch(**asked, details=BatchDetails(), seconds=60)
        opened.batches.create(new, most_open=9)
        job = NewJob(tenant=tenant, kind=JobKind.DISTILL, request={})
        opened.jobs.create(job, most_open=9)
        opened.schedules.create(
            NewSchedule(tenant=tenant, kind=JobKind.DISTILL, request={}, next_at=0)
        )
        opened.conversations.create(tenant, {}, [Item("msg_1", {"id": "msg_1"}, None)], None)
        kept = StoredResponse(id=f"resp_{tenant}", tenant=tenant, status="completed", body={})
        opened.responses.keep(Written(kept))
        opened.judgements.add(judged(tenant))
        trained = write_adapter(tmp_path / tenant)
        new = NewVersion(tenant=tenant, base_model="m", rank=2, stage=Stage.SHADOW)
        ended = opened.adapters.register(trained, NewVersion(tenant=tenant, base_model="m", rank=2))
        opened.adapters.retire(tenant, [ended.id], "it is old")
        write_adapter(trained, 2.0)
        version = opened.adapters.register(trained, new)
        seen = {"adapter_id": version.id, "shown_right": True, "right": True, "same": True}
        opened.shadows.add(tenant, Shadow(id="c1", **seen))
        opened.candidates.add(choice(tenant), [candidate(saved.record)])
        named = {"tenant": tenant, "record_id": saved.record.id, "base_model": "base"}
        opened.candidates.add_solution(WorkedSolution(**named, content="x", text=None))
        graded = EvaluationDetails(source={"type": "custom"}, criteria=[])
        kept_eval = opened.evals.create(NewEvaluation(tenant=tenant, name="e", details=graded), 9)
        run = RunDetails(source={"type": "jsonl"}, criteria=[])
        of_eval = {"tenant": tenant, "eval_id": kept_eval.id, "name": "", "model": ""}
        opened.eval_runs.create(NewRun(**of_eval, details=run), most_open=9, most=9)
    assert opened.completions.flush()
    for tenant in ("ann", "bob"):  # none before: what is still to be written would not be
        opened.erasures.begin(tenant, opened.list(tenant)[0], None)
    yield opened
    opened.close()


def owners(connection: Connection, table: Table) -> set[str]:
    return set(connection.execute(select(table.c.tenant)).scalars())


def test_every_table_has_a_policy_and_belongs_to_somebody_else(url: str) -> None:
    with connected(url) as connection:
        guarded = connection.execute(
            text(
                "SELECT c.relname, c.relrowsecurity, p.polname FROM pg_class c "
                "LEFT JOIN pg_policy p ON p.polrelid = c.oid "
                "WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace"
            )
        ).all()
        owners_of = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = current_schema()"
        owned = connection.exec_driver_sql(owners_of).scalars().all()
    found = {name: (is_on, policy) for name, is_on, policy in guarded}
    del found["alembic_version"]
    assert found.keys() == metadata.tables.keys()
    assert set(found.values()) == {(True, POLICY)}
    assert owned == [OWNER]


@pytest.mark.parametrize(
    "table", [t for t in metadata.sorted_tables if "tenant" in t.columns], ids=lambda t: t.name
)
def test_a_query_without_its_where_returns_nothing_of_another_tenant(
    memory: LongTermMemory, table: Table
) -> None:
    database = memory._database
    with database.reading("ann") as connection:
        assert owners(connection, table) <= {"ann"}
    with database.reading(EVERYONE) as connection:
        there = owners(connection, table)
        assert there == {"ann", "bob"}
    with database.reading({"bob", "ann"}) as connection:
        assert owners(connection, table) == there
    with database.reading(()) as connection:
        assert owners(connection, table) == set()


def test_what_belongs_to_a_row_of_another_is_as_invisible(memory: LongTermMemory) -> None:
    for table in (embedding, file_part):
        counted = select(func.count()).select_from(table)
        with memory._database.reading("ann") as connection:
            assert connection.execute(counted).scalar_one() == 1
        with memory._database.reading(EVERYONE) as connection:
            assert connection.execute(counted).scalar_one() == 2


def test_nothing_of_another_tenant_is_changed_moved_or_made(memory: LongTermMemory) -> None:
    database = memory._database
    with database.writing("ann") as connection:
        assert connection.execute(update(record).values(uses=9)).rowcount == 1
        assert connection.execute(delete(completions)).rowcount == 1
    for statement in (
        insert(head).values(tenant="carl", seq=1),
        update(record).values(tenant="bob"),
        insert(file_part).values(file_id=memory.files.list("bob")[0].id, number=1, content=b""),
    ):
        with pytest.raises(ProgrammingError, match="row-level security"):
            _write(memory, statement)
    with database.reading(EVERYONE) as connection:
        uses = dict(connection.execute(select(record.c.tenant, record.c.uses)).all())
    assert uses == {"ann": 9, "bob": 0}


def _write(memory: LongTermMemory, statement: object) -> None:
    with memory._database.writing("ann") as connection:
        connection.execute(statement)


def test_a_connection_remembers_nobody(memory: LongTermMemory) -> None:
    with memory._database.reading(EVERYONE) as connection:
        assert len(owners(connection, file)) == 2
    for _ in range(3):
        with memory._database.reading("bob") as connection:
            assert owners(connection, file) == {"bob"}


def test_the_names_of_tenants_are_no_code(memory: LongTermMemory, draft: Build) -> None:
    for name in ("*", "{ann,bob}", "a,b", 'quote"d', "back\\slash", "it's", "NULL", "\x00"):
        saved = memory.save(draft("q", tenant=name))
        assert [each.id for each in memory.walk(name)] == [saved.record.id]
        with memory._database.reading(name) as connection:
            assert owners(connection, record) == {name}


def test_whet_works_as_a_user_who_owns_nothing(
    postgres: Cluster, url: str, memory: LongTermMemory, tmp_path: Path, draft: Build
) -> None:
    """The stricter way: the owner migrates, servers come with a user of their own."""
    name = url.rpartition("/")[2].partition("?")[0]
    postgres.psql("postgres", "CREATE ROLE web LOGIN")
    theirs = postgres.url(name, "web")
    with pytest.raises(StorageUnavailableError, match=f"GRANT {OWNER}_app TO web"):
        open_database(tmp_path, theirs)
    postgres.psql("postgres", f"GRANT {OWNER}_app TO web")
    opened = LongTermMemory.open(tmp_path, HashingEmbedder(64), database_url=theirs)
    record_id = opened.save(draft("theirs")).record.id
    opened.forget("ann", record_id)
    assert opened.storage_problem() is None
    assert opened.verify("ann").ok
    opened.close()
    postgres.psql("postgres", f"REVOKE {OWNER}_app FROM web", "DROP ROLE web")
