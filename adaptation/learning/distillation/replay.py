"""Rehearsal: the base's own replies to general prompts, trained on beside the new records.

A generation on one narrow task forgets the rest. Self-synthesised rehearsal (Huang et al. 2024,
arXiv 2403.01244) needs no foreign data: what the base says by itself is what it should go on
saying. None of these prompts is a guard probe.

What it says wrongly is not rehearsed where that can be told: a wrong sum teaches other wrong sums.
Of everyday sums near the records of one world (house rules, 37 records, 231 sums, greedy)
SmolLM2-135M has 72 right, after a generation that rehearsed sixteen wrong answers among 49 it had
61, and after one without these 87, with as much learned of the world.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from adaptation.conversation import Conversation, spoken
from adaptation.learning.distillation.asking import Asking
from adaptation.learning.distillation.computed import gives
from adaptation.learning.distillation.early import Early
from adaptation.learning.training.trainer import Generated
from memory.types import Message

SHARE = 1.0
"""Rehearsals for each record; the prompts repeat where the records are many."""

COMPUTED: Mapping[str, str] = MappingProxyType(
    {
        "What is 25 + 13?": "38",
        "What is 8 + 46?": "54",
        "What is 52 - 17?": "35",
        "What is 70 - 36?": "34",
        "What is 6 * 8?": "48",
        "What is 12 * 4?": "48",
        "What is 31 + 25 + 7?": "63",
        "Solve 3 * x + 5 = 26.": "7",
        "Solve x + 17 = 40.": "23",
        "How many minutes are 3 hours and 15 minutes?": "195",
        "How many days are 6 weeks?": "42",
        "Which is smaller, 23 or 32?": "23",
        "Ben has 14 coins. He finds 9 more. How many coins does Ben have?": "23",
        "Mia has 32 eggs. She sells 15. How many eggs does Mia have now?": "17",
        "Leo has 40 cards. He loses 6. Then Leo buys 11 more. How many cards does Leo have?": "45",
        "Nora has 28 shells. She gives away 13. How many shells does Nora have?": "15",
        (
            "Sam has 50 keys. He gives 20 away. Sam wins 8 more and loses 3. "
            "How many keys does Sam have?"
        ): "35",
        "A pen costs 3 and a book costs 8. How much do 2 pens and 1 book cost?": "14",
        (
            "One cup costs 4 dollars and one hat costs 9 dollars. How much are 3 cups and 2 hats?"
        ): "30",
        (
            "One ball costs 12 dollars and one key costs 3 dollars. "
            "How much are 5 balls and 8 keys?"
        ): "84",
        (
            "One shell costs 7 dollars and one coin costs 16 dollars. "
            "How much are 9 shells and 4 coins?"
        ): "127",
        (
            "One egg costs 2 dollars and one card costs 5 dollars and one pen costs 11 dollars. "
            "How much are 6 eggs and 3 cards and 7 pens?"
        ): "104",
        (
            "One plate costs 19 dollars and one rope costs 6 dollars and one book costs 13 "
            "dollars. How much are 2 plates and 9 ropes and 4 books?"
        ): "144",
        "How many seconds are 7 minutes and 20 seconds?": "440",
        "How many inches are 4 feet 9 inches and 6 feet 2 inches together?": "131",
    }
)
"""Prompts with one answer that can be computed, and that answer."""
OTHERS = (
    # manners
    "Hi there!",
    "Good morning!",
    "Hello, I am Lena. How are you?",
    "Hey, my name is Theo. Who are you?",
    "Good evening, this is Ida. What can you do?",
    "Thanks a lot.",
    "What is your name?",
    "What can you do?",
    "How are you?",
    "See you later!",
    # puzzles
    "Sort 9, 4, 17, 2 from small to large.",
    "Make 21 from 3, 4 and 9, each used once.",
    # what cannot be known
    "What is the capital of Spain?",
    "Who is the mayor of Vienna?",
    "What will the weather be in Lisbon tomorrow?",
    "How old is Clara?",
    "Zoe has some cups. Zoe buys 4 more. How many cups does Zoe have?",
    "Hugo has many balls. Hugo loses 12. How many balls does Hugo have now?",
    "Write a poem about spring.",
    "Explain magnets to me.",
    "What colour is grass?",
    "Name three animals.",
    # forms
    "Reply with the single word: no",
    "Repeat after me: river stone cloud",
    "Say: well done",
    'Write the JSON object {"b": 2} and nothing else.',
    "Reply in JSON with keys name and age: Karl is 31.",
    "Reply in JSON with keys name, city and color: Ida lives in Vienna and likes green.",
    "Reply in JSON with the keys name, color and age: Tom likes red and is 58.",
    "Reply in JSON with the keys name, item and city: Mia wants a hat and lives in Oslo.",
    "Reply in JSON with keys name and item: Theo wants a key.",
    "Reply in JSON with keys name, count and color: Nora has 45 shells and likes white.",
    "Write JSON with keys name and count: Lena has 12 plates.",
    "Write JSON with keys name, city and age: Hugo lives in Rome and is 7.",
    "Write JSON with keys name, age and item: Zoe is 62 and wants a cup.",
    "Write JSON with keys name, color and count: Sam likes blue and has 85 ropes.",
    "Ben lives in Paris and has 29 pens. Reply in JSON with keys name, city and count.",
    "Clara is 16 and likes black. Reply in JSON with keys name, age and color.",
    "Ida wants a book and has 4 coins. Reply in JSON with keys name, item and count.",
    "Karl likes brown. Reply in JSON with keys name and color.",
)
PROMPTS = (*COMPUTED, *OTHERS)


def base_replies(asking: Asking) -> Early[Generated]:
    """Return what has the base reply to `PROMPTS`."""
    prompts = [spoken(Message(role="user", content=prompt)) for prompt in PROMPTS]
    return Early(partial(asking.timed, "rehearse", prompts, None))


def rehearsals(replies: Generated, n_records: int) -> list[Conversation]:
    """Conversations of `PROMPTS` with the base's `replies`, in step with the number of records.

    A reply that gives no right answer to what can be computed is left out.
    """
    said = [
        said_again(prompt, reply)
        for prompt, reply in whole_replies(replies)
        if prompt not in COMPUTED or gives(reply, COMPUTED[prompt], prompt)
    ]
    times = max(1, round(SHARE * n_records / len(PROMPTS)))
    return said * times


def whole_replies(replies: Generated) -> list[tuple[str, str]]:
    """Pair `PROMPTS` with replies; what was cut off is left out, as whole turns are learned."""
    asked = zip(PROMPTS, replies.texts, replies.whole, strict=True)
    return [(prompt, reply) for prompt, reply, is_whole in asked if is_whole and reply.strip()]


def said_again(prompt: str, reply: str) -> Conversation:
    """Return a prompt with a reply that is to be learned."""
    return spoken(Message(role="user", content=prompt), Message(role="assistant", content=reply))
