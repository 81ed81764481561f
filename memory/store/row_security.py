"""PostgreSQL's own guard over tenants: a query that forgets its WHERE sees no row of another.

The tables are the owner's. Whet works through a role without login that does not own them, so that
their policies bind it; a transaction says whose rows it is about (`memory.store.scope`) and sees
no others. Policies follow from the schema: a table with a column `tenant` has one, and what refers
to such a table is visible with the row it refers to.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, Table, text
from sqlalchemy.exc import DBAPIError

from memory.errors import StorageUnavailableError
from memory.store.schema import metadata

TENANTS = "whet.tenants"
"""The setting that holds an array of tenants, or `EVERYONES`; with none, no row is seen."""
EVERYONES = "*"
POLICY = "of_tenant"
MAX_NAME = 63
# As sub-selects both are read once a query, not once a row.
_SAID = f"(SELECT current_setting('{TENANTS}', true))"
_NAMED = f"""(SELECT CASE WHEN left(current_setting('{TENANTS}', true), 1) = '{{'
    THEN current_setting('{TENANTS}', true)::text[] END)::text[]"""
_MINE = f"{_SAID} = '{EVERYONES}' OR tenant = ANY ({_NAMED})"


def protect(connection: Connection) -> str:
    """Let a role without login use the tables, bound by policies; return its name.

    For the owner, after a migration; what is there is made anew. Raises `StorageUnavailableError`.
    """
    role = _made_role(connection)
    quoted = connection.dialect.identifier_preparer.quote(role)
    run = connection.exec_driver_sql
    here = _schema(connection)
    run(f"GRANT USAGE ON SCHEMA {here} TO {quoted}")
    run(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {here} TO {quoted}")
    run(f"GRANT USAGE, UPDATE ON ALL SEQUENCES IN SCHEMA {here} TO {quoted}")
    run(f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {quoted}")
    for statement in _policies():
        run(statement)
    return role


def working_role(connection: Connection) -> str | None:
    """Return the role that Whet works through, None where there are no tables yet.

    What a dump does not take along, the owner makes anew. Raises `StorageUnavailableError` for
    anybody else who may not work as it.
    """
    owner = "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = to_regclass(:table)"
    name = connection.execute(text(owner), {"table": "alembic_version"}).scalar()
    if name is None:
        return None
    role, user = _role_of(str(name)), _user(connection)
    if _may_be(connection, role):
        return role
    if user == name:
        return protect(connection)
    raise StorageUnavailableError(
        f"{user} may not work as the role {role}: as an administrator of the database, run "
        f"GRANT {role} TO {user}"
    )


def _role_of(owner: str) -> str:
    """Name the role: the owner's own, as other owners on the same server have theirs."""
    return f"{owner.encode()[: MAX_NAME - 4].decode(errors='ignore')}_app"


def _made_role(connection: Connection) -> str:
    """Return the role; it is created where it is missing, and the user made a member."""
    user = _user(connection)
    role = _role_of(user)
    quote = connection.dialect.identifier_preparer.quote
    if not _exists(connection, role):
        _attempt(connection, f"CREATE ROLE {quote(role)} NOLOGIN")
    if not _may_be(connection, role):
        _attempt(connection, f"GRANT {quote(role)} TO {quote(user)}")
    if not _may_be(connection, role):
        raise StorageUnavailableError(
            f"{user} may not create the role {role}: as an administrator of the database, run "
            f"CREATE ROLE {role} NOLOGIN; GRANT {role} TO {user}"
        )
    return role


def _user(connection: Connection) -> str:
    return str(connection.exec_driver_sql("SELECT current_user").scalar_one())


def _may_be(connection: Connection, role: str) -> bool:
    may = "SELECT pg_has_role(current_user, oid, 'MEMBER') FROM pg_roles WHERE rolname = :role"
    return bool(connection.execute(text(may), {"role": role}).scalar())


def _exists(connection: Connection, role: str) -> bool:
    found = text("SELECT 1 FROM pg_roles WHERE rolname = :role")
    return connection.execute(found, {"role": role}).scalar() is not None


def _attempt(connection: Connection, statement: str) -> None:
    """Run what may be refused, or be done by another at this moment; the look after it decides."""
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(statement)
    except DBAPIError:
        return


def _schema(connection: Connection) -> str:
    name = str(connection.exec_driver_sql("SELECT current_schema()").scalar_one())
    return connection.dialect.identifier_preparer.quote(name)


def _policies() -> Iterator[str]:
    for table in metadata.sorted_tables:
        name = f'"{table.name}"'
        yield f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"
        yield f"DROP POLICY IF EXISTS {POLICY} ON {name}"
        yield f"CREATE POLICY {POLICY} ON {name} USING ({_visible(table)})"


def _visible(table: Table) -> str:
    """Say when a row is visible, and may be written."""
    if "tenant" in table.columns:
        return _MINE
    (key,) = table.foreign_keys
    parent, theirs = key.column.table.name, key.column.name
    return (
        f'EXISTS (SELECT FROM "{parent}" p WHERE p."{theirs}" = "{table.name}"."{key.parent.name}")'
    )
