"""Who is let in, in whose name, and what he is told otherwise."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import delete
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from memory.embedding.hashing import HashingEmbedder
from memory.errors import ConflictError
from memory.memory import LongTermMemory
from memory.store.schema import api_key
from memory.store.scope import EVERYONE
from server.tenancy import followed as module
from server.tenancy import keyring as keyring_module
from server.tenancy.authentication import Authentication
from server.tenancy.doors import Doors
from server.tenancy.followed import Followed
from server.tenancy.issuing import make
from server.tenancy.issuing import replace as rotated
from server.tenancy.keyring import Keyring
from server.tenancy.principal import Role, principal_of
from server.tenancy.secret import Secret
from server.tenancy.trust import Trust

ASK = "/v1/chat/completions"
NOBODY = Trust()
RECORDS, IMPORT, METRICS = "/v1/memory/records", "/v1/memory/import", "/metrics"


@pytest.fixture
def memory(data_dir: Path) -> Iterator[LongTermMemory]:
    opened = LongTermMemory.open(data_dir, HashingEmbedder())
    yield opened
    opened.close()


class Door:
    """An application that says in whose name it is asked, behind the check of keys."""

    def __init__(self, memory: LongTermMemory, trust: Trust = NOBODY) -> None:
        self.memory, self.secret = memory, Secret.of_folder(memory.data_dir)
        self.keyring = Keyring(memory.keys, self.secret, memory.aside)
        paths = ("/health", ASK, RECORDS, IMPORT, METRICS, "/v1/responses", "/scale_elastic_ep")
        app = Starlette(
            routes=[Route(path, _who, methods=["GET", "POST", "OPTIONS"]) for path in paths]
        )
        guarded = Authentication(app, Doors(app.routes), self.keyring, trust)
        transport = httpx.ASGITransport(guarded)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")

    def key(self, tenant: str, role: Role = Role.USER, days: float | None = None) -> dict[str, Any]:
        made = make(self.memory.keys, self.secret, tenant, role, "", days)
        self.keyring.forget()
        return made

    async def get(self, path: str, key: str | None = None, **headers: str) -> httpx.Response:
        shown = {"authorization": f"Bearer {key}"} if key else {}
        return await self.http.get(path, headers={**shown, **headers})


async def _who(request: Request) -> JSONResponse:
    found = principal_of(request.scope)
    return JSONResponse({"tenant": found.tenant, "role": found.role} if found else None)


async def test_without_a_key_everybody_is_the_operator(memory: LongTermMemory) -> None:
    door = Door(memory)
    assert (await door.get(METRICS)).json() == {"tenant": "default", "role": "admin"}


async def test_a_key_binds_to_its_tenant_and_its_role(memory: LongTermMemory) -> None:
    door = Door(memory)
    key = door.key("acme", Role.REVIEWER)["key"]
    assert (await door.get(ASK, key)).json() == {"tenant": "acme", "role": "reviewer"}
    assert (await door.get(RECORDS, key)).status_code == 200
    refused = await door.get(IMPORT, key)
    assert refused.status_code == 403
    assert "role `admin`" in refused.json()["error"]["message"]


@pytest.mark.parametrize("role", [Role.USER, Role.REVIEWER, Role.ADMIN])
async def test_what_is_the_servers_is_open_to_no_other_tenant(
    memory: LongTermMemory, role: Role
) -> None:
    door = Door(memory)
    assert (await door.get(METRICS, door.key("acme", role)["key"])).status_code == 403
    assert (await door.get(METRICS, door.key("default", Role.ADMIN)["key"])).status_code == 200


async def test_once_there_is_a_key_nobody_comes_in_without(memory: LongTermMemory) -> None:
    door = Door(memory)
    made = door.key("acme")
    for key in (None, "whet-wrong", made["key"][:-1], made["key"] + "x", made["hint"], "é"):
        answer = await door.http.get(
            ASK, headers={"authorization": f"Bearer {key}".encode()} if key else {}
        )
        assert answer.status_code == 401, key
        assert answer.json()["error"]["code"] == "invalid_api_key"
    memory.keys.revoke(made["id"])
    door.keyring.forget()
    assert (await door.get(ASK)).status_code == 401, "a key that has ended closes the door, too"


async def test_health_is_open_to_everybody_and_knows_who_shows_a_key(
    memory: LongTermMemory,
) -> None:
    door = Door(memory)
    key = door.key("acme")["key"]
    assert (await door.get("/health")).json() is None
    assert (await door.get("/health", "whet-wrong")).json() is None
    assert (await door.get("/health", key)).json() == {"tenant": "acme", "role": "user"}


async def test_anthropics_header_is_read_as_well(memory: LongTermMemory) -> None:
    door = Door(memory)
    key = door.key("acme")["key"]
    assert (await door.get(ASK, **{"x-api-key": key})).json()["tenant"] == "acme"


async def test_a_browsers_question_before_a_request_needs_no_key(memory: LongTermMemory) -> None:
    door = Door(memory)
    key = door.key("acme")["key"]
    asks = {"origin": "https://app.example", "access-control-request-method": "POST"}
    assert (await door.http.options(ASK, headers=asks)).status_code == 200
    assert (await door.http.options(ASK)).status_code == 401
    shown = {"authorization": f"Bearer {key}"}
    assert (await door.http.options(METRICS, headers=shown)).status_code == 403


@pytest.mark.parametrize("ending", ["%0A", "%0D", "%00"])
async def test_no_path_with_control_characters_is_another_ones(
    memory: LongTermMemory, ending: str
) -> None:
    door = Door(memory)
    for key in (None, door.key("acme")["key"]):
        assert (await door.get(METRICS + ending, key)).status_code == 404


async def test_revoking_and_expiring_end_a_key_and_rotating_replaces_it(
    memory: LongTermMemory,
) -> None:
    door = Door(memory)
    revoked, expired = door.key("a"), door.key("b", days=1e-9)
    old, kept = door.key("c"), door.key("d")
    memory.keys.revoke(revoked["id"])
    new = rotated(memory.keys, door.secret, old["id"], 0.0)
    again = rotated(memory.keys, door.secret, kept["id"], 3600.0)
    door.keyring.forget()
    for ended in (revoked, expired, old):
        assert (await door.get(ASK, ended["key"])).status_code == 401
    for valid, tenant in ((new, "c"), (kept, "d"), (again, "d")):
        assert (await door.get(ASK, valid["key"])).json()["tenant"] == tenant


def test_of_rotations_at_once_one_makes_a_key(memory: LongTermMemory) -> None:
    """The others would have made keys that end with the old one's grace, or one too many."""
    secret = Secret.of_folder(memory.data_dir)
    old = make(memory.keys, secret, "acme", Role.USER, "", None)

    def rotate(_: int) -> str | None:
        try:
            return str(rotated(memory.keys, secret, old["id"], 3600.0)["id"])
        except ConflictError:
            return None

    with ThreadPoolExecutor(4) as threads:
        (new,) = [made for made in threads.map(rotate, range(8)) if made]
    assert memory.keys.get(old["id"]).replaced_by == new
    assert memory.keys.get(new).expires_at is None
    assert len(memory.keys.list()) == 2


async def test_what_another_process_changes_is_seen(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGE_S", 0.0)
    door = Door(memory)
    assert (await door.get(ASK)).status_code == 200
    other = LongTermMemory.open(memory.data_dir, HashingEmbedder())
    made = make(other.keys, door.secret, "acme", Role.USER, "", None)
    assert (await door.get(ASK, made["key"])).json()["tenant"] == "acme", "unknown: it is looked up"
    other.keys.revoke(made["id"])
    other.close()
    deadline = time.monotonic() + 10
    while (await door.get(ASK, made["key"])).status_code != 401:
        await asyncio.sleep(0.01)
        assert time.monotonic() < deadline


async def test_the_last_use_is_noted(memory: LongTermMemory) -> None:
    door = Door(memory)
    made = door.key("acme")
    assert memory.keys.get(made["id"]).last_used_at is None
    await door.get(ASK, made["key"])
    await door.keyring.close()
    assert memory.keys.get(made["id"]).last_used_at == pytest.approx(time.time(), abs=60)


async def test_a_key_opens_while_its_last_use_waits_for_the_database(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring_module, "NOTED_EVERY_S", 0.0)
    door, may_write = Door(memory), threading.Event()
    made = door.key("acme")
    monkeypatch.setattr(memory.keys, "note_use", lambda used: may_write.wait(60))
    for _ in range(3):
        async with asyncio.timeout(10):
            assert (await door.get(ASK, made["key"])).status_code == 200
    may_write.set()
    await door.keyring.close()


async def test_a_change_is_seen_though_a_look_from_before_ends_after_it(
    memory: LongTermMemory,
) -> None:
    begun, may_end, number = threading.Event(), threading.Event(), [1]
    may_end.set()

    def revision() -> int:
        seen = number[0]
        begun.set()
        may_end.wait(60)
        return seen

    table = Followed("numbers", revision, lambda: number[0], memory.aside.reading)
    assert await table.value() == 1
    table.forget()
    begun.clear()
    may_end.clear()
    asked = asyncio.create_task(table.value())
    await asyncio.to_thread(begun.wait, 60)
    number[0] = 2
    table.forget()
    may_end.set()
    assert await asked == 2
    number[0] = 3
    assert await table.value() == 2, "looks are apart"


async def test_a_database_that_is_gone_opens_no_door(memory: LongTermMemory) -> None:
    door = Door(memory)
    door.key("acme")
    assert (await door.get(ASK)).status_code == 401
    with memory.keys._database.writing(EVERYONE) as connection:
        connection.execute(delete(api_key))
    door.keyring.forget()
    assert (await door.get(ASK)).status_code == 401


async def test_the_operators_flag_is_a_key_of_his(memory: LongTermMemory) -> None:
    door = Door(memory, Trust(operator_keys=("one", "two")))
    for key in ("one", "two"):
        assert (await door.get(METRICS, key)).status_code == 200
    assert (await door.get(METRICS, "three")).status_code == 401
    assert (await door.get(METRICS)).status_code == 401


async def test_a_gateway_names_the_tenant_with_the_operators_key(memory: LongTermMemory) -> None:
    door = Door(memory, Trust(tenant_header="X-Tenant"))
    gateway, app = door.key("default", Role.ADMIN)["key"], door.key("acme", Role.ADMIN)["key"]
    spoken = await door.get(ASK, gateway, **{"x-tenant": "globex"})
    assert spoken.json() == {"tenant": "globex", "role": "user"}
    assert (await door.get(METRICS, gateway, **{"x-tenant": "globex"})).status_code == 403
    own = await door.get(ASK, gateway, **{"x-tenant": "default"})
    assert own.json() == {"tenant": "default", "role": "user"}, "a customer may be called so"
    assert (await door.get(ASK, app, **{"x-tenant": "globex"})).status_code == 403
    assert (await door.get(ASK, app, **{"x-tenant": "acme"})).json()["role"] == "admin"
    assert (await door.get(ASK, gateway, **{"x-tenant": "../etc"})).status_code == 400
    assert (await door.get(ASK, **{"x-tenant": "globex"})).status_code == 401


async def test_a_gateway_that_forgets_the_header_is_nobody(memory: LongTermMemory) -> None:
    door = Door(memory, Trust(tenant_header="X-Tenant"))
    gateway = door.key("default", Role.GATEWAY)["key"]
    spoken = await door.get(ASK, gateway, **{"x-tenant": "globex"})
    assert spoken.json() == {"tenant": "globex", "role": "user"}
    assert (await door.get(METRICS, gateway, **{"x-tenant": "default"})).status_code == 403
    for path in (ASK, METRICS):
        forgotten = await door.get(path, gateway)
        assert (forgotten.status_code, "`X-Tenant`" in forgotten.text) == (401, True)
    unasked = await Door(memory).get(ASK, gateway, **{"x-tenant": "globex"})
    assert (unasked.status_code, "--trusted-header" in unasked.text) == (401, True)


def test_no_tenant_makes_a_gateways_key(memory: LongTermMemory) -> None:
    with pytest.raises(ConflictError, match="`gateway`"):
        Door(memory).key("acme", Role.GATEWAY)


async def test_of_several_tenants_none_is_spoken_for(memory: LongTermMemory) -> None:
    door = Door(memory, Trust(tenant_header="X-Tenant"))
    gateway = door.key("default", Role.ADMIN)["key"]
    sent = [("authorization", f"Bearer {gateway}"), ("x-tenant", "globex"), ("x-tenant", "acme")]
    assert (await door.http.get(ASK, headers=sent)).status_code == 400


async def test_without_any_key_a_gateway_has_to_name_the_tenant(memory: LongTermMemory) -> None:
    door = Door(memory, Trust(tenant_header="X-Tenant"))
    assert (await door.get(ASK)).status_code == 401
    assert (await door.get(ASK, **{"x-tenant": "globex"})).json()["tenant"] == "globex"


async def test_a_header_that_is_not_trusted_names_nobody(memory: LongTermMemory) -> None:
    door = Door(memory)
    assert (await door.get(ASK, **{"x-tenant": "globex"})).json()["tenant"] == "default"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("LOCALHOST", 200),
        ("[::1]:8000", 200),
        ("whet.lan", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("[", 403),
    ],
)
async def test_without_a_key_only_known_names_of_the_server_are_answered(
    memory: LongTermMemory, host: str, status: int
) -> None:
    trust = Trust(hosts={*NOBODY.hosts, "whet.lan"})
    assert (await Door(memory, trust).get(ASK, host=host)).status_code == status


async def test_with_a_key_any_name_will_do(memory: LongTermMemory) -> None:
    door = Door(memory)
    key = door.key("acme")["key"]
    assert (await door.get(ASK, key, host="evil.example")).status_code == 200


async def test_the_engines_own_administration_is_closed_unless_enabled(
    memory: LongTermMemory,
) -> None:
    path = "/scale_elastic_ep"
    assert (await Door(memory).get(path)).status_code == 404
    door = Door(memory, replace(Trust(), engine_routes=True))
    assert (await door.get(path)).status_code == 200
    assert (await door.get(path, door.key("acme", Role.ADMIN)["key"])).status_code == 403


async def test_no_key_is_kept_and_no_two_are_alike(memory: LongTermMemory) -> None:
    door = Door(memory)
    keys = [door.key("acme")["key"] for _ in range(50)]
    assert len(set(keys)) == len(keys)
    assert all(key.startswith("whet-") and len(key) > 40 for key in keys)
    kept = (memory.data_dir / "whet.db").read_bytes()
    assert not any(key.encode() in kept for key in keys)
    assert (memory.data_dir / "secret").stat().st_mode & 0o077 == 0


def test_a_tenants_salt_is_its_own_and_stays(tmp_path: Path) -> None:
    secret = Secret.of_folder(tmp_path)
    salts = {secret.salt_of(tenant) for tenant in ("a", "b", "default")}
    assert len(salts) == 3
    assert Secret.of_folder(tmp_path).salt_of("a") in salts
    assert Secret.of_folder(tmp_path / "other").salt_of("a") not in salts
    assert secret.salt_of("a") != secret.digest_of("a")
