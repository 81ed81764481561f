"""The one place that says how large the model is, what it reads and how long it trains."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Shape:
    """A Qwen3 network small enough to train on two processor cores."""

    vocabulary: int = 1536
    hidden: int = 256
    layers: int = 4
    intermediate: int = 768
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 64
    max_tokens: int = 4096
    rope_theta: float = 10_000.0


@dataclass(frozen=True)
class Mixture:
    """Shares of the training rows; they need not sum to one."""

    recall: float = 0.06
    """Echoes and dictionary look-ups: dense practice that makes induction heads appear."""
    demonstrations: float = 0.22
    """Conversations that fill the row with one world's solved questions."""
    mixed: float = 0.73
    """Short conversations of every kind, at most one world to a row."""
    first_recall: float = 0.9
    """Share of recall rows at the very start, falling linearly to `recall`."""
    first_recall_until: float = 0.15
    """Part of the training (0 to 1) by which the recall share has fallen."""

    world_question: float = 0.14
    """Within mixed rows: one question of the row's world."""
    arithmetic: float = 0.58
    manners: float = 0.24
    """Small talk, refusals, JSON, copying, tool calls."""
    raw_text: float = 0.04
    """Solved stories without the chat format."""

    tasks: dict[str, float] = field(
        default_factory=lambda: {
            "stories": 6,
            "orders": 2,
            "countdown": 4,
            "units": 3,
            "lists": 3,
            "equations": 3,
            "calculation": 2,
            "product": 1,
            "comparison": 0.5,
        }
    )
    """Within arithmetic: suites, each at all its levels, and drills."""
    hardest: dict[str, int] = field(
        default_factory=lambda: {"stories": 8, "units": 4, "equations": 3}
    )
    """Levels above these are never trained on: what the model does there, it generalises."""
    manner_kinds: dict[str, float] = field(
        default_factory=lambda: {
            "small_talk": 2.5,
            "conversation": 1.5,
            "refusal": 2,
            "json_objects": 3,
            "copying": 1.5,
            "tool_calls": 3,
        }
    )
    """Within manners."""
    worlds: dict[str, float] = field(
        default_factory=lambda: {"jargon": 3, "facts": 3, "house_rules": 2, "house_format": 2}
    )
    """Wherever a world is drawn: of which suite."""


@dataclass(frozen=True)
class Batch:
    """Rows of equal length; short ones are cheap, long ones hold many demonstrations."""

    row_tokens: int
    rows: int
    share: float


@dataclass(frozen=True)
class Rehearsal:
    """Test-time training practised inside the training; see `rehearse.py`."""

    starts_at: float = 0.6
    """Part of the training after which rehearsal begins: first there must be something to adapt."""
    share: float = 0.09
    """Share of the steps from then on."""
    worlds: int = 2
    """Worlds adapted to at once, each with a LoRA of its own."""
    neighbours: tuple[int, ...] = (8, 12, 16)
    """How many solved questions a world shows; one of these each time."""
    questions: int = 8
    rank: int = 8
    fewest_steps: int = 3
    steps: int = 6
    slowest_rate: float = 3e-3
    fastest_rate: float = 1.5e-2


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what comes out, next to the minutes given."""

    shape: Shape = field(default_factory=Shape)
    mixture: Mixture = field(default_factory=Mixture)
    batches: tuple[Batch, ...] = (Batch(256, 12, 0.7), Batch(768, 4, 0.24), Batch(1536, 2, 0.06))
    rehearsal: Rehearsal = field(default_factory=Rehearsal)
    seed: int = 0
    minutes: float = 75.0
    """Minutes of training on two processor cores."""
    tokenizer_documents: int = 20_000
    matrix_rate: float = 0.02
    """Peak learning rate of the weight matrices (Muon)."""
    other_rate: float = 3e-3
    """Peak learning rate of embeddings and norms (AdamW)."""
    weight_decay: float = 0.05
    warmup: float = 0.02
    """Part of the training spent raising the learning rate."""
    final_rate: float = 0.02
    """Learning rate at the end, as a part of the peak."""
    clip: float = 1.0
    checkpoint_s: float = 180.0
    """Seconds between checkpoints."""
