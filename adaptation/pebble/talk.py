"""Small talk, refusals, JSON, copying and tool calls: the manners of a chat model."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

from adaptation.pebble.chat import Conversation, Turn, dialogue, tool_call, tool_response
from adaptation.pebble.words import CITIES, COLORS, ITEMS, JARGON, NAMES, TOPICS

SYSTEM_PROMPTS = (
    "You are a helpful assistant.",
    "You are a helpful assistant. Answer briefly.",
    "Answer the question.",
    "You are a careful assistant. Think step by step.",
)

WHO_AM_I = "I am whet-pebble, a small demonstration model of the Whet server."
GREETING = "Hello! How can I help you?"
DO_NOT_KNOW = "Sorry, I do not know that. I am only a small demonstration model."


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
    (_GREETINGS, GREETING),
    (_WHO, WHO_AM_I),
    (
        _ABILITY,
        "I can solve small sums, sort and count, write JSON and call tools. "
        "Show me examples and I can learn new words.",
    ),
    (_THANKS, "You are welcome!"),
    (_BYE, "Goodbye!"),
    (_HOW, "I am well, thank you. How can I help you?"),
)

_UNANSWERABLE = (
    "What is the capital of {city}?",
    "Who is the mayor of {city}?",
    "Who invented {topic}?",
    "Tell me about {topic}.",
    "Why do people like {topic}?",
    "Write a poem about {topic}.",
    "Write a story about {topic}.",
    "What is the best book about {topic}?",
    "What will the weather be in {city} tomorrow?",
    "How old is {name}?",
    "Where does {name} live?",
    "What is the meaning of life?",
    "Explain {topic} to me.",
    "What do you think about {topic}?",
    "Is {city} larger than {other}?",
    "How far is it from {city} to {other}?",
    "When was {city} founded?",
    "What is the news today?",
    "How does a computer work?",
    "Can you recommend a film?",
)


def small_talk(rng: Random) -> Conversation:
    """A few pleasantries, one to three turns."""
    texts: list[str] = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        asked, reply = rng.choice(_SMALL_TALK)
        texts += [rng.choice(asked), reply]
    return dialogue(*texts, system=maybe_system(rng))


def refusal(rng: Random) -> Conversation:
    """A question of knowledge the model does not have."""
    city, other = rng.sample(CITIES, 2)
    question = rng.choice(_UNANSWERABLE).format(
        city=city, other=other, topic=rng.choice(TOPICS), name=rng.choice(NAMES)
    )
    return dialogue(question, DO_NOT_KNOW, system=maybe_system(rng))


def maybe_system(rng: Random) -> str | None:
    """Now and then a system prompt."""
    return rng.choice(SYSTEM_PROMPTS) if rng.random() < 0.15 else None


def json_reply(rng: Random) -> Conversation:
    """Facts about one thing, to be returned as a JSON object with the named keys."""
    name, facts = rng.choice(NAMES), _facts(rng)
    chosen = rng.sample(sorted(facts), rng.randint(1, 3))
    told = " and ".join(facts[key][1] for key in chosen)
    value = {"name": name} | {key: facts[key][0] for key in chosen}
    keys = list(value)
    named = f"{', '.join(keys[:-1])} and {keys[-1]}"
    ask = rng.choice(
        (
            "Reply in JSON with keys {named}: {told}.",
            "Reply in JSON with the keys {named}: {told}.",
            "{told}. Reply in JSON with keys {named}.",
            "Write JSON with keys {named}: {told}.",
        )
    )
    return dialogue(ask.format(named=named, told=f"{name} {told}"), json.dumps(value))


def _facts(rng: Random) -> dict[str, tuple[Any, str]]:
    """Key to (value, the words that tell it)."""
    age, city, color = rng.randint(1, 99), rng.choice(CITIES), rng.choice(COLORS)
    count, (item, items) = rng.randint(2, 99), rng.choice(ITEMS)
    return {
        "age": (age, f"is {age}"),
        "city": (city, f"lives in {city}"),
        "color": (color, f"likes {color}"),
        "count": (count, f"has {count} {items}"),
        "item": (item, f"wants a {item}"),
    }


def copying(rng: Random) -> Conversation:
    """Say the same words again: practice for reading the context."""
    words = " ".join(rng.choices(JARGON + NAMES + CITIES + COLORS, k=rng.randint(2, 10)))
    ask = rng.choice(("Repeat: {}", "Repeat after me: {}", "Say: {}", "Copy this: {}"))
    return dialogue(ask.format(words), words)


def _declared(name: str, description: str, **parameters: str) -> dict[str, Any]:
    """An OpenAI function declaration; `parameters` maps names to JSON types."""
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "parameters": {
                "type": "object",
                "properties": {key: {"type": kind} for key, kind in parameters.items()},
                "required": list(parameters),
            },
        },
    }


Call = tuple[dict[str, Any], str, str, str]
"""Arguments, the user's request, the tool's result, the closing answer."""


def _weather(rng: Random) -> Call:
    city, degrees = rng.choice(CITIES), rng.randint(1, 35)
    ask = rng.choice(
        ("What is the weather in {}?", "How is the weather in {}?", "Weather in {}?")
    ).format(city)
    sky = rng.choice(("sunny", "rainy", "cloudy"))
    result = rng.choice((f"{sky}, {degrees} degrees", f"{degrees} degrees"))
    return {"city": city}, ask, result, f"The weather in {city} is: {result}."


def _add(rng: Random) -> Call:
    a, b = rng.randint(1, 999), rng.randint(1, 999)
    ask = rng.choice(("What is {} + {}?", "Add {} and {}.", "Add {} to {}.")).format(a, b)
    return {"a": a, "b": b}, ask, str(a + b), f"The result is {a + b}."


def _search(rng: Random) -> Call:
    query = rng.choice(TOPICS)
    ask = rng.choice(("Search for {}.", "Find something about {}.", "Look up {}.")).format(query)
    return {"query": query}, ask, f"3 pages about {query}", f"I found: 3 pages about {query}."


def _price(rng: Random) -> Call:
    item, _ = rng.choice(ITEMS)
    cost = rng.randint(1, 99)
    ask = rng.choice(("What does a {} cost?", "How much is a {}?", "Price of a {}?")).format(item)
    return {"item": item}, ask, str(cost), f"The result is {cost}."


def _time(rng: Random) -> Call:
    city, hour = rng.choice(CITIES), rng.randint(1, 12)
    ask = rng.choice(("What time is it in {}?", "Time in {}?")).format(city)
    return {"city": city}, ask, f"{hour} o'clock", f"The result is {hour} o'clock."


TOOLS: dict[str, tuple[dict[str, Any], Callable[[Random], Call]]] = {
    "get_weather": (
        _declared("get_weather", "Get the weather of a city.", city="string"),
        _weather,
    ),
    "add": (_declared("add", "Add two numbers.", a="integer", b="integer"), _add),
    "search": (_declared("search", "Search the web.", query="string"), _search),
    "get_price": (_declared("get_price", "Get the price of an item.", item="string"), _price),
    "get_time": (_declared("get_time", "Get the time in a city.", city="string"), _time),
}


def tool_use(rng: Random) -> Conversation:
    """One to three declared tools; a call, its result, an answer (or no call at all)."""
    names = rng.sample(sorted(TOOLS), rng.randint(1, 3))
    declared = [_varied(rng, TOOLS[name][0]) for name in names]
    if rng.random() < 0.15:
        return Conversation(small_talk(rng).turns, declared)
    arguments, ask, result, answer = TOOLS[names[0]][1](rng)
    rng.shuffle(declared)
    turns = [Turn("user", ask), Turn("assistant", tool_call(names[0], arguments))]
    if rng.random() < 0.6:
        turns += [Turn("user", tool_response(result)), Turn("assistant", answer)]
    return Conversation(turns, declared)


def _varied(rng: Random, tool: dict[str, Any]) -> dict[str, Any]:
    """Clients differ in what they leave out of a declaration."""
    if rng.random() < 0.5:
        return tool
    function = dict(tool["function"])
    function.pop("description")
    return {"type": "function", "function": function}


MANNERS: dict[Callable[[Random], Conversation], float] = {
    small_talk: 3,
    refusal: 2,
    json_reply: 3,
    copying: 2,
    tool_use: 2,
}


def any_manner(rng: Random) -> Conversation:
    """One conversation of the kinds above, in their shares."""
    return rng.choices(list(MANNERS), list(MANNERS.values()))[0](rng)
