"""What is noted of every answer: its report, its metrics, and the text that feedback refers to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adaptation.report import Report, SampleCounts, TokenCounts
from adaptation.types import Outcome, Query, Sample
from adaptation.voting.reader import read_answer
from memory.history.completions import CompletionLog
from memory.types import Completion
from server.telemetry.metrics import Metrics
from server.telemetry.notes import Answered, request_note
from server.telemetry.reports import Reports
from server.tenancy.principal import caller


class Bookkeeper:
    """Told every outcome before the client is."""

    def __init__(
        self,
        completions: CompletionLog,
        reports: Reports,
        metrics: Metrics,
        model: str,
        parsed: Callable[[Query, Sample], Sample],
        prompt_ids: Callable[[Query], Sequence[int] | None] = lambda query: None,
        answered: Callable[[str], None] = lambda tenant: None,
    ) -> None:
        """`parsed` tells apart what a sample says, thinks and calls; `prompt_ids` returns the
        tokens of a prompt; `answered` is told of whom an answer was written down."""
        self._prompt_ids = prompt_ids
        self._answered = answered
        self._completions = completions
        self._reports = reports
        self._metrics = metrics
        self._model = model
        self._parsed = parsed

    def abandon(self, samples: SampleCounts, tokens: TokenCounts) -> None:
        """Note what was spent on a request whose client left, or which an error ended."""
        self._metrics.observe_abandoned(samples, tokens)
        if (note := request_note()) is not None:
            note.abandoned.append((samples, tokens))

    def finish(self, query: Query, outcome: Outcome, earlier: Report | None = None) -> Report:
        """Note the outcome of one prompt, and return its report; costs the request no commit.

        `earlier` is the report of an earlier turn, where tools are run in between.
        """
        own = outcome.report.model_copy(update={"scope": query.scope, "release": query.release})
        report = own.after(earlier) if earlier else own
        self._metrics.observe(own)
        self._note(query, outcome, own)
        shown = report.model_dump(mode="json")
        if query.options.memory.write and query.question.strip():
            self._completions.append(self._completion(query, outcome, shown))
            self._answered(query.tenant)
        else:
            self._reports.put(query.tenant, query.id, shown)
        return report

    def _note(self, query: Query, outcome: Outcome, report: Report) -> None:
        """Tell the line of the request that is answered."""
        if (note := request_note()) is not None:
            ids, text = self._prompt_ids(query) or (), outcome.samples[0].text
            said = query.question, text, len(ids)
            note.answers.append(Answered(query.id, report, *said, self._model, query.end_user))

    def _completion(self, query: Query, outcome: Outcome, shown: Mapping[str, Any]) -> Completion:
        report, text = outcome.report, outcome.samples[0].text
        answer = report.answer
        if answer is None and query.options.answer.kind != "regex":  # may be slow, and blocks
            found = read_answer(query, self._parsed(query, outcome.samples[0]))
            answer = found.text if found else None
        return Completion(
            id=query.id,
            tenant=query.tenant,
            messages=query.messages,
            request=query.request,
            text=text,
            answer=answer,
            model=self._model,
            adapter=query.adapter_of(outcome.samples[0]),
            task=query.options.memory.task,
            record_id=report.memory.saved or report.memory.reused if report.memory else None,
            vote=outcome.vote,
            trial=outcome.trial,
            tried=outcome.tried,
            # Those of a batch, an evaluation or a job would push out all others.
            traced=None if caller().in_batch else outcome.traced,
            report=shown,
            metadata=query.metadata,
        )
