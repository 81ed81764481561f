"""The wire form of evaluations and runs, as in OpenAI's API; answers stand in `shown`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, TypeAdapter, model_validator

from adaptation.grading.specs import Grader, JsonObject, Messages, Name
from memory.types import Frozen, Given
from server.requests.metadata import Metadata
from server.routes.paging import OPAQUE_ID

MOST_ITEMS = 10_000
"""Most items of one run."""
MOST_CRITERIA = 32
CRITERION: TypeAdapter[Any] = TypeAdapter(Grader)


class Custom(Given):
    """Items of a form of their own."""

    type: Literal["custom"]
    item_schema: JsonObject
    include_sample_schema: bool = False
    """Whether a model answers the items, or the answers are in the source."""

    @model_validator(mode="before")
    @classmethod
    def _as_shown(cls, value: Any) -> Any:
        """Take the form in which a source is shown: the schema of a whole line as `schema`."""
        if not isinstance(value, dict) or "item_schema" in value:
            return value
        shown = value.get("schema")
        properties = shown.get("properties") if isinstance(shown, dict) else None
        if not isinstance(properties, dict) or "item" not in properties:
            return value
        found = {"item_schema": properties["item"], "include_sample_schema": "sample" in properties}
        return found | _less(value, "schema")


class Logs(Given):
    """Answers that were given here, by the metadata of their requests; or whatever a run brings."""

    type: Literal["logs", "stored_completions"]
    metadata: JsonObject | None = None

    @model_validator(mode="before")
    @classmethod
    def _as_shown(cls, value: Any) -> Any:
        """Pass over the `schema` with which a source of this kind is shown."""
        return _less(value, "schema")


def _less(value: Any, key: str) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: each for name, each in value.items() if name != key}


class NewEvalBody(Given):
    """An evaluation that is to be made."""

    data_source_config: Custom | Logs
    testing_criteria: Annotated[tuple[Grader, ...], Field(min_length=1, max_length=MOST_CRITERIA)]
    metadata: Metadata | None = None
    name: Annotated[str, Field(max_length=512)] = ""


class ChangedEvalBody(Frozen):
    """What is to be changed of an evaluation."""

    name: Annotated[str, Field(max_length=512)] | None = None
    metadata: Metadata | None = None


class Item(Given):
    """One item, and the answer to it where no model is to be asked."""

    item: JsonObject
    sample: JsonObject | None = None


class FileContent(Given):
    """Items in the request itself."""

    type: Literal["file_content"]
    content: Annotated[tuple[Item, ...], Field(min_length=1, max_length=MOST_ITEMS)]


class FileId(Given):
    """Items in a file that was uploaded, one JSON object a line."""

    type: Literal["file_id"]
    id: Annotated[str, Field(pattern=OPAQUE_ID)]


ItemSource: TypeAlias = FileContent | FileId


class StoredCompletions(Given):
    """Completions that were answered here; times are Unix seconds, both included."""

    type: Literal["stored_completions"]
    created_after: int | None = None
    created_before: int | None = None
    limit: Annotated[int | None, Field(ge=1, le=MOST_ITEMS)] = None
    metadata: Metadata | None = None
    model: Name | None = None


class StoredResponses(Given):
    """Responses that were stored here; times are Unix seconds, both included."""

    type: Literal["responses"]
    created_after: int | None = None
    created_before: int | None = None
    metadata: Metadata | None = None
    model: Name | None = None
    temperature: float | None = None
    top_p: float | None = None
    users: list[str] | None = None


class Template(Given):
    """Messages with templates in them."""

    type: Literal["template"]
    template: Messages


class ItemReference(Given):
    """The name of an item's field that holds the messages."""

    type: Literal["item_reference"]
    item_reference: Annotated[str, Field(pattern=r"^item\.\S+$", max_length=256)]


InputMessages: TypeAlias = Template | ItemReference


class Sampling(Given):
    """What both ways of asking take."""

    max_completion_tokens: Annotated[int | None, Field(ge=1)] = None
    reasoning_effort: str | None = None
    seed: int | None = None
    temperature: Annotated[float | None, Field(ge=0, le=2)] = None
    tools: list[JsonObject] | None = None
    top_p: Annotated[float | None, Field(gt=0, le=1)] = None

    @model_validator(mode="before")
    @classmethod
    def _as_shown(cls, value: Any) -> Any:
        """Take the name that OpenAI's graders, and runs that it shows, have for a limit."""
        plural, one = "max_completions_tokens", "max_completion_tokens"
        if not isinstance(value, dict) or plural not in value:
            return value
        return {one: value[plural]} | _less(value, plural)


class ChatSampling(Sampling):
    """How chat completions are sampled."""

    response_format: JsonObject | None = None


class ResponseSampling(Sampling):
    """How responses are sampled."""

    text: JsonObject | None = None


STORED = (StoredCompletions, StoredResponses)


class Jsonl(Given):
    """Items whose answers are known."""

    type: Literal["jsonl"]
    source: ItemSource


class Completions(Given):
    """Items that a model is asked as chat completions."""

    type: Literal["completions"]
    source: ItemSource | StoredCompletions
    model: Name | None = None
    """None: the answers are graded that were given."""
    input_messages: InputMessages | None = None
    """None: of stored answers, what they were asked."""
    sampling_params: ChatSampling | None = None


class Responses(Given):
    """Items that a model is asked as responses."""

    type: Literal["responses"]
    source: ItemSource | StoredResponses
    model: Name | None = None
    input_messages: InputMessages | None = None
    sampling_params: ResponseSampling | None = None


DataSource: TypeAlias = Jsonl | Completions | Responses
DATA_SOURCE: TypeAdapter[Any] = TypeAdapter(DataSource)


class NewRunBody(Given):
    """A run that is to be made."""

    data_source: DataSource
    metadata: Metadata | None = None
    name: Annotated[str, Field(max_length=512)] = ""


def item_schema_of(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the schema of the items, None where they have none."""
    schema: Mapping[str, Any] | None = config.get("item_schema")
    return schema
