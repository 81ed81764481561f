"""`whet memory forget | certificate | verify --forgotten`: erasing, and showing that it is so."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memory.types import AdapterVersion, Record
from server.commands.common import open_memory, open_tables, settings_of
from server.terminal import (
    CommandError,
    UsageError,
    plain,
    print_fields,
    print_json,
    print_table,
    progress,
    write_json,
)

if TYPE_CHECKING:
    from memory.memory import LongTermMemory
    from server.erasure.eraser import Eraser, Forgotten
    from server.erasure.search import Hit

BY = "whet memory forget"


def forget(args: argparse.Namespace) -> int:
    """Erase records, and retire the adapter versions that learned from them."""
    with open_memory(args) as memory:
        records = [memory.get(args.tenant, record_id) for record_id in args.ids]
        eraser = _eraser(memory)
        if not args.yes:
            _confirm(memory, eraser, records, args)
        retires = not args.keep_adapters
        done = [eraser.forget(args.tenant, r.id, BY, retires=retires) for r in records]
    versions = {version.id: version for each in done for version in each.learned}
    if args.json:
        print_json(_as_json(done, versions))
    else:
        _tell(done, list(versions.values()), args)
    return 0


def certify(args: argparse.Namespace) -> int:
    """Print or write a certificate, or check one."""
    from server.erasure.certificate import certificate
    from server.erasure.signing import SigningKey

    if args.check is not None:
        return _check(args)
    with open_tables(args) as memory:
        key = SigningKey.of_folder(settings_of(args).data_dir)
        if args.public_key:
            print_json({"public_key": key.public}) if args.json else print(key.public)
            return 0
        document = certificate(memory, key, args.tenant, args.id)
    write_json(document, args.out)
    if args.json:
        print_json(document)
    elif args.out is None:
        statement = document["statement"]
        print_fields({name: _told(value) for name, value in statement.items()})
        print_fields({"signed by": document["signature"]["public_key"]})
    return 0


def verify(args: argparse.Namespace) -> int:
    """Look for a text in all that the data folder holds; the status is 1 where it is found."""
    from server.erasure.search import LEAST_CHARS, search

    text = args.canary if args.canary is not None else _asked()
    if len(text) < LEAST_CHARS:
        raise UsageError(f"a text of fewer than {LEAST_CHARS} characters is found by chance")
    with open_tables(args) as memory, progress("looking, bytes") as advance:
        hits = list(search(memory, settings_of(args).data_dir, text, advance))
    if args.json:
        print_json({"found": [vars(hit) for hit in hits]})
    else:
        _print_hits(hits, args)
    return int(bool(hits))


def _print_hits(hits: Sequence[Hit], args: argparse.Namespace) -> None:
    if not hits:
        print(f"nothing in {settings_of(args).data_dir} holds it")
        return
    print_table(("file", "place", "as"), [(hit.file, hit.place, hit.form) for hit in hits])
    print("see docs/erasure.md for what to do about each place", file=sys.stderr)


def _asked() -> str:
    """Return the text from standard input, without the end of its last line."""
    if sys.stdin.isatty():
        return getpass.getpass("the text to look for (it is not shown): ")
    return sys.stdin.read().removesuffix("\n")


def _check(args: argparse.Namespace) -> int:
    from server.erasure.certificate import signer_of
    from server.erasure.signing import known_public

    try:
        document = json.loads(Path(args.check).read_bytes())
    except OSError as error:
        raise CommandError(f"{args.check} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{args.check} is no certificate: it is not JSON") from error
    signer = signer_of(document)
    if signer is None:
        raise CommandError(f"{args.check} is no certificate, or was changed after it was signed")
    wanted = args.key or known_public(settings_of(args).data_dir)
    if wanted is None:
        raise CommandError(f"it is signed by {signer}: say with --key whose key that has to be")
    if signer != wanted.strip().lower():
        raise CommandError(f"it is signed by {signer}, and not by {wanted}")
    if args.json:
        print_json({"ok": True, "signed_by": signer, "statement": document["statement"]})
    else:
        print(f"sound: {document['statement']['record']}, signed by {signer}")
    return 0


def _eraser(memory: LongTermMemory) -> Eraser:
    from server.erasure.eraser import Eraser
    from server.tenancy.secret import Secret

    return Eraser(memory, Secret.of_folder(memory.data_dir))


def _confirm(
    memory: LongTermMemory, eraser: Eraser, records: Sequence[Record], args: argparse.Namespace
) -> None:
    if not sys.stdin.isatty():
        raise UsageError("forgetting is final and nobody is here to ask: add --yes")
    for record in records:
        print(f"{record.id}  {plain(record.question, 70)}", file=sys.stderr)
    learned = {v.id: v for record in records for v in eraser.learned(args.tenant, record.id)}
    champion = memory.adapters.alias(args.tenant, "champion")
    for version in [] if args.keep_adapters else learned.values():
        served = ", which is served now" if champion and champion.id == version.id else ""
        print(f"{version.id} learned from it{served}: it is retired", file=sys.stderr)
    print(f"Erase {len(records)} for good? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("nothing was erased")


def _as_json(done: Sequence[Forgotten], versions: dict[str, AdapterVersion]) -> dict[str, Any]:
    retired = [version.id for version in versions.values() if version.retired is not None]
    return {
        "erased": [each.record.id for each in done],
        "adapters": sorted(versions),
        "retired": sorted(retired),
        "kept": sorted(versions.keys() - set(retired)),
        "champion": done[-1].champion if done else None,
        "alike": sorted({each for one in done for each in one.alike}),
    }


def _tell(
    done: Sequence[Forgotten], versions: Sequence[AdapterVersion], args: argparse.Namespace
) -> None:
    """Say what went, and what is left to be done, in commands."""
    erased = {each.record.id for each in done}
    tenant = "" if args.tenant == "default" else f" --tenant {args.tenant}"
    print(f"erased {len(done)}")
    for version in versions:
        if version.retired is None:
            again = f"whet memory forget {' '.join(sorted(erased))}{tenant}"
            print(f"{version.id} learned from it and is kept: `{again}` retires it")
            continue
        model = f" --model {version.base_model}" if version.base_model != "whet-pebble" else ""
        again = f"whet distill --rebuild {version.id}{model}{tenant}"
        print(f"{version.id} learned from it and is retired: `{again}` trains it without")
    if any(version.retired for version in versions):
        print(f"served now: {done[-1].champion or 'the base model'}")
    for record_id in sorted({each for one in done for each in one.alike} - erased):
        print(f"{record_id} holds the same question and stays: forget it as well, if it is to go")


def _told(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
