"""What one database holds of all tenants, store by store: each has tables of its own."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from memory.errors import StorageUnavailableError
from memory.history.calibrations import CalibrationStore
from memory.history.completions import CompletionLog
from memory.history.conversations import ConversationStore
from memory.history.files import FileStore
from memory.history.ledger import Ledger
from memory.history.notes import NoteStore
from memory.history.past_votes import PastVotes
from memory.history.request_traces import TraceStore
from memory.history.responses import ResponseStore
from memory.history.stored_answers import StoredAnswers
from memory.keys import KeyStore
from memory.offline.batches import BatchStore
from memory.offline.eval_runs import EvalRunStore
from memory.offline.evals import EvalStore
from memory.offline.jobs import JobStore
from memory.offline.schedules import ScheduleStore
from memory.quota_counts import QuotaCounts
from memory.statistics import Counts
from memory.store.artifacts import Artifacts
from memory.store.database import Database
from memory.tenants import TenantStore
from memory.versions.adapters import AdapterRegistry
from memory.versions.candidates import CandidateStore
from memory.versions.judgements import JudgementStore
from memory.versions.live import LiveOutcomes
from memory.versions.model_names import ModelNames
from memory.versions.release import Releases
from memory.versions.shadows import Shadows
from memory.versions.window import Windows


class Stores:
    """Everything in the database but records, which `LongTermMemory` keeps with their index."""

    def __init__(
        self,
        database: Database,
        data_dir: Path,
        retention_days: float,
        response_days: float,
        artifacts: Artifacts | None,
        trace_rows: int,
    ) -> None:
        self._database = database
        self.completions = CompletionLog(
            database, retention_days=retention_days, trace_rows=trace_rows
        )
        self.request_traces = TraceStore(database)
        self.responses = ResponseStore(database, response_days)
        self.conversations = ConversationStore(database)
        self.stored_answers = StoredAnswers(database)
        self.votes = PastVotes(database)
        self.ledger = Ledger(database)
        self.windows = Windows(database)
        self.notes = NoteStore(database)
        self.keys = KeyStore(database)
        self.tenants = TenantStore(database)
        self.quota_counts = QuotaCounts(database)
        self.calibrations = CalibrationStore(database)
        self.files = FileStore(database)
        self.batches = BatchStore(database)
        self.jobs = JobStore(database)
        self.schedules = ScheduleStore(database)
        self.evals = EvalStore(database)
        self.eval_runs = EvalRunStore(database)
        self.judgements = JudgementStore(database)
        self.candidates = CandidateStore(database)
        self.adapters = AdapterRegistry(database, data_dir / "adapters", artifacts)
        self.models = ModelNames(self.adapters)
        self.releases = Releases(database)
        self.shadows = Shadows(database)
        self.live = LiveOutcomes(database)
        self.counts = Counts(database)

    @property
    def is_shared(self) -> bool:
        """Whether servers of several machines may work on it."""
        return self._database.is_shared

    def storage_problem(self) -> str | None:
        """Return what keeps the database from being written, None when nothing does."""
        try:
            self._database.probe()
        except StorageUnavailableError as error:
            return str(error)
        return None

    def writable(self) -> bool:
        """Whether a save would be durable now; costs one small commit."""
        return self.storage_problem() is None

    def alone(self, job: str) -> AbstractContextManager[None]:
        """Have a job alone among all processes on this memory; `StorageBusyError` otherwise."""
        return self._database.alone(job)
