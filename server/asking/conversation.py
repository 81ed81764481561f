"""A conversation: its turns, the last answer, and the words that begin with a slash."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING

from adaptation.options import Strategy
from server.asking.target import options_of, teach, told
from server.terminal import CommandError, complain, plain

if TYPE_CHECKING:
    from whet.client import Whet
    from whet.events import Answer

HELP = """\
  /strategy [NAME]   how to answer from now on; without a name, as the server does by itself
  /teach FILE        put solved examples into the server's memory
  /correct ANSWER    the last answer was wrong, this one is right: the server remembers it
  /right             the last answer was right
  /new               begin anew
  /quit              end
"""


class Conversation:
    """What was said, and what is to be done with what is said next."""

    def __init__(self, client: Whet, args: argparse.Namespace) -> None:
        """`args` holds the flags of `add_target_arguments`."""
        self._client, self._args = client, args
        self._strategy: str | None = args.strategy
        self._turns: list[dict[str, str]] = []
        self._last: Answer | None = None
        self.is_over = self.failed = False
        """Whether it has ended; whether anything went wrong in it."""

    def hear(self, line: str) -> None:
        """Answer a line, or do what it says; what goes wrong is told, and ends nothing."""
        text = line.encode("utf-8", "surrogateescape").decode("utf-8", "replace").strip()
        try:
            with told(self._args.url):
                if text.startswith("/"):
                    self._obey(*text[1:].split(maxsplit=1))
                elif text:
                    self._ask(text)
        except CommandError as error:
            self.failed = True
            complain(error)

    def _ask(self, text: str) -> None:
        from server.asking.view import as_json, show

        turns = [*self._turns, {"role": "user", "content": text}]
        stream = self._client.stream(turns, options_of(self._strategy), model=self._args.model)
        try:
            with closing(stream) as events:
                answer, seconds = show(events, silent=self._args.json)
        except KeyboardInterrupt:
            complain("stopped; /quit ends the conversation")
            return
        self._last = answer
        self._turns = [*turns, {"role": "assistant", "content": answer.text}]
        if self._args.json:
            print(json.dumps(as_json(answer, seconds), ensure_ascii=False), flush=True)

    def _obey(self, name: str = "", rest: str = "") -> None:
        if name not in _WORDS:
            raise CommandError(f"no /{plain(name)}; /help says what there is")
        _WORDS[name](self, rest.strip())

    def _choose(self, name: str) -> None:
        known = [each.value for each in Strategy]
        if name and name not in known:
            raise CommandError(f"no strategy {plain(name)}: one of {', '.join(known)}")
        self._strategy = name or None
        complain(f"strategy: {name or 'as the server does by itself'}")

    def _teach(self, name: str) -> None:
        if not name:
            raise CommandError("/teach FILE: say which")
        teach(self._client, name)

    def _correct(self, answer: str) -> None:
        if not answer:
            raise CommandError("/correct ANSWER: say the right one")
        last = self._answered()
        judged = self._client.feedback(last.id, "incorrect", answer)
        self._turns[-1] = {"role": "assistant", "content": answer}
        complain(f"{judged.action}: {judged.reason}")

    def _confirm(self, _: str) -> None:
        judged = self._client.feedback(self._answered().id, "correct")
        complain(f"{judged.action}: {judged.reason}")

    def _answered(self) -> Answer:
        if self._last is None:
            raise CommandError("nothing was answered yet")
        return self._last

    def _begin_anew(self, _: str) -> None:
        self._turns, self._last = [], None

    def _help(self, _: str) -> None:
        print(HELP, end="", flush=True)

    def _end(self, _: str) -> None:
        self.is_over = True


_WORDS: Mapping[str, Callable[[Conversation, str], None]] = {
    "strategy": Conversation._choose,
    "teach": Conversation._teach,
    "correct": Conversation._correct,
    "right": Conversation._confirm,
    "new": Conversation._begin_anew,
    "help": Conversation._help,
    "quit": Conversation._end,
}
