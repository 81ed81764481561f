"""Guard: the right one of the declared tools is called, with the right arguments (Hermes form).

A level is one more declared tool. The form is the built-in model's own: a candidate is judged by
what it writes, before any engine's parser reads it.
"""

import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.suite import Generated, Group
from adaptation.evaluation.suites.words import CITIES, ITEMS, NAMES, TOPICS
from memory.identity.answers.options import AnswerOptions
from memory.lines.calls import calls_in

ANSWER = AnswerOptions(kind="tool")
CALL_START, CALL_END = "<tool_call>", "</tool_call>"
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

Tool = Mapping[str, Any]
Ask = Callable[[Random], tuple[dict[str, Any], str]]
"""Arguments, and the request that calls for them."""


def call_text(name: str, arguments: Mapping[str, Any]) -> str:
    """A call as the model writes it."""
    return f'{CALL_START}\n{{"name": "{name}", "arguments": {json.dumps(arguments)}}}\n{CALL_END}'


def same_calls(problem: Solved, reply: str) -> bool:
    """Whether a reply makes the calls that are right."""
    found, wanted = calls_in(reply), calls_in(problem.answer)
    return found is not None and wanted is not None and found.key == wanted.key


def declared(name: str, description: str, **parameters: str) -> Tool:
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


def _weather(rng: Random) -> tuple[dict[str, Any], str]:
    city = rng.choice(CITIES)
    ask = rng.choice(("What is the weather in {}?", "How is the weather in {}?", "Weather in {}?"))
    return {"city": city}, ask.format(city)


def _forecast(rng: Random) -> tuple[dict[str, Any], str]:
    city, day = rng.choice(CITIES), rng.choice(DAYS)
    ask = rng.choice(("Will it rain in {} on {}?", "How will it be in {} on {}?"))
    return {"city": city, "day": day}, ask.format(city, day)


def _add(rng: Random) -> tuple[dict[str, Any], str]:
    a, b = rng.randint(1, 999), rng.randint(1, 999)
    ask = rng.choice(("What is {} + {}?", "Add {} and {}.", "Add {} to {}."))
    return {"a": a, "b": b}, ask.format(a, b)


def _search(rng: Random) -> tuple[dict[str, Any], str]:
    query = rng.choice(TOPICS)
    ask = rng.choice(("Search for {}.", "Find something about {}.", "Look up {}."))
    return {"query": query}, ask.format(query)


def _price(rng: Random) -> tuple[dict[str, Any], str]:
    item, _ = rng.choice(ITEMS)
    ask = rng.choice(("What does a {} cost?", "How much is a {}?", "Price of a {}?"))
    return {"item": item}, ask.format(item)


def _time(rng: Random) -> tuple[dict[str, Any], str]:
    city = rng.choice(CITIES)
    return {"city": city}, rng.choice(("What time is it in {}?", "Time in {}?")).format(city)


def _remind(rng: Random) -> tuple[dict[str, Any], str]:
    name, hour = rng.choice(NAMES), rng.randint(1, 24)
    ask = rng.choice(("Remind {} at {}.", "Set a reminder for {} at {}."))
    return {"who": name, "hour": hour}, ask.format(name, hour)


def _order(rng: Random) -> tuple[dict[str, Any], str]:
    count, (_, items) = rng.randint(2, 99), rng.choice(ITEMS)
    ask = rng.choice(("Order {} {}.", "I want {} {}.", "Please buy {} {}."))
    return {"item": items, "count": count}, ask.format(count, items)


TOOLS: dict[str, tuple[Tool, Ask]] = {
    "get_weather": (
        declared("get_weather", "Get the weather of a city.", city="string"),
        _weather,
    ),
    "get_forecast": (
        declared("get_forecast", "Get the forecast of a day.", city="string", day="string"),
        _forecast,
    ),
    "add": (declared("add", "Add two numbers.", a="integer", b="integer"), _add),
    "search": (declared("search", "Search the web.", query="string"), _search),
    "get_price": (declared("get_price", "Get the price of an item.", item="string"), _price),
    "get_time": (declared("get_time", "Get the time in a city.", city="string"), _time),
    "remind": (declared("remind", "Set a reminder.", who="string", hour="integer"), _remind),
    "order": (declared("order", "Order some items.", item="string", count="integer"), _order),
}


def draw(rng: Random, level: int) -> Solved:
    """A request that one of `level` declared tools serves."""
    names = rng.sample(sorted(TOOLS), level)
    arguments, question = TOOLS[names[0]][1](rng)
    tools = [varied(rng, TOOLS[name][0]) for name in names]
    rng.shuffle(tools)
    call = call_text(names[0], arguments)
    return Solved(question, call, call, "tool_calls", tuple(tools))


def varied(rng: Random, tool: Tool) -> Tool:
    """Clients differ in what they leave out of a declaration."""
    if rng.random() < 0.5:
        return tool
    function = {key: value for key, value in tool["function"].items() if key != "description"}
    return {"type": "function", "function": function}


SUITE = Generated("tool_calls", Group.GUARD, draw, range(1, 5), 2, same_calls, ANSWER)
