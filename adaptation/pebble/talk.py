"""Small talk, copying and finished tool calls: the manners of a chat model, beside the guards'."""

from collections.abc import Mapping
from random import Random

from adaptation.evaluation.suites.conversation import ABILITIES, HOW_CAN_I_HELP, WHO_AM_I
from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.words import CITIES, COLORS, JARGON, NAMES
from adaptation.pebble.chat import Conversation, Turn, dialogue, tool_response
from adaptation.pebble.curriculum import manner
from adaptation.pebble.encoding import conversation

SYSTEM_PROMPTS = (
    "You are a helpful assistant.",
    "You are a helpful assistant. Answer briefly.",
    "Answer the question.",
    "You are a careful assistant. Think step by step.",
)


def _variants(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


_GREETINGS = _variants(
    "Hello|Hello!|Hi|Hi!|Hey|hello|hi|Hi there|Hello there!|Good morning|Good morning!|Good day!|"
    "Good evening!|Say hello.|Greetings!|Hey there!"
)
_WHO = _variants(
    "Who are you?|who are you|What are you?|What is your name?|Tell me about yourself.|"
    "Introduce yourself.|Are you a model?|Which model are you?|Who is this?"
)
_ABILITY = _variants("What can you do?|How can you help me?|What are you good at?|Help me.|Help")
_THANKS = _variants("Thanks|Thanks!|Thank you.|Thank you!|Great, thanks.|Thank you very much.")
_BYE = _variants("Bye|Goodbye!|See you!|Bye bye!|Good night!")
_HOW = _variants("How are you?|How are you today?|How is it going?")

_SMALL_TALK = (
    (_GREETINGS, f"Hello! {HOW_CAN_I_HELP}"),
    (_WHO, WHO_AM_I),
    (_ABILITY, ABILITIES),
    (_THANKS, "You are welcome!"),
    (_BYE, "Goodbye!"),
    (_HOW, f"I am well, thank you. {HOW_CAN_I_HELP}"),
)

_RESULTS = ("sunny, {} degrees", "{} degrees", "{}", "{} pages", "done, number {}", "ok")


def small_talk(rng: Random) -> Conversation:
    """A few pleasantries, one to three turns."""
    texts: list[str] = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        asked, reply = rng.choice(_SMALL_TALK)
        texts += [rng.choice(asked), reply]
    return dialogue(*texts, system=maybe_system(rng))


def maybe_system(rng: Random) -> str | None:
    """Now and then a system prompt."""
    return rng.choice(SYSTEM_PROMPTS) if rng.random() < 0.15 else None


def copying(rng: Random) -> Conversation:
    """Say the same words again: practice for reading the context."""
    words = " ".join(rng.choices(JARGON + NAMES + CITIES + COLORS, k=rng.randint(2, 10)))
    ask = rng.choice(("Repeat: {}", "Repeat after me: {}", "Say: {}", "Copy this: {}"))
    return dialogue(ask.format(words), words)


def tool_use(rng: Random) -> Conversation:
    """A call, and often its result and an answer; now and then small talk beside idle tools."""
    call = manner(rng, "tool_calls")
    if rng.random() < 0.15:
        return Conversation(small_talk(rng).turns, call.tools)
    called = conversation([call])
    if rng.random() < 0.5:
        return called
    result = rng.choice(_RESULTS).format(rng.randint(1, 999))
    answer = [Turn("user", tool_response(result)), Turn("assistant", f"The result is: {result}.")]
    return Conversation([*called.turns, *answer], called.tools)


def any_manner(rng: Random, shares: Mapping[str, float]) -> Conversation:
    """One conversation of the kinds here and of the guard suites, in their shares."""
    kind = rng.choices(list(shares), list(shares.values()))[0]
    if kind in _OWN:
        return _OWN[kind](rng)
    task: Solved = manner(rng, kind)
    return conversation([task], maybe_system(rng))


_OWN = {"small_talk": small_talk, "copying": copying, "tool_calls": tool_use}
