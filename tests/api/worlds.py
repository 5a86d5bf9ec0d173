"""Customers with one of everything, marked so that no trace of them can hide in an answer."""

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

from django.core import signing

from api.pagination import SALT
from tests.api.client import Answer, Office
from tests.database import Database

AS_OF = date(2025, 11, 15)
# An id that nothing has.
MISSING = 999_999_999_999_999

_worlds = itertools.count(1)
_numbers = itertools.count(1)


@contextmanager
def ids_from(owner: Database, first: int) -> Iterator[None]:
    """Within, every new row gets an id from `first` on, whoever inserts it."""
    sequences = [
        name
        for (name,) in owner.execute(
            "SELECT pg_get_serial_sequence(quote_ident(table_name), column_name)"
            " FROM information_schema.columns WHERE table_schema = 'public'"
            " AND is_identity = 'YES' AND data_type = 'bigint'"
            " AND table_name !~ '^(django|procrastinate)_'"
        )
    ]
    former = {
        name: owner.execute(f"SELECT last_value, is_called FROM {name}")[0] for name in sequences
    }
    for name in sequences:
        owner.execute("SELECT setval(%s, %s, false)", name, first)
    try:
        yield
    finally:
        for name, (value, is_called) in former.items():
            owner.execute("SELECT setval(%s, %s, %s)", name, value, is_called)


class World(Office):
    """A customer with one of everything.

    Every text that it can hold has its `mark` in it (hexadecimal, since digests are to have it as
    well), and all its ids are from a range of their own.
    """

    def __init__(self, owner: Database, worker: Database) -> None:
        number = next(_worlds)
        self.mark = f"{'abcdef'[number % 6]}facade{number:03d}"
        self.first_id = (400 + number) * 10**12
        self._traces = re.compile(rf"{self.mark}|{self.first_id // 10**6}\d{{6}}", re.IGNORECASE)
        with ids_from(owner, self.first_id):
            super().__init__(owner, worker)
            self._fill()

    def _fill(self) -> None:
        mark = self.mark
        self.slug = f"{mark}-practice"
        self.owner.execute(
            "UPDATE customer SET name = %s, slug = %s WHERE id = %s",
            f"Practice {mark}",
            self.slug,
            self.customer_id,
        )
        self.people = {role: self.join(role) for role in ("member", "admin")}
        for user_id in self.people.values():
            self.token(user_id)
            self.owner.execute(
                'UPDATE "user" SET email = %s, name = %s, password = %s WHERE id = %s',
                f"{mark}-{user_id}@example.org",
                f"Name {mark}",
                f"!{mark}",
                user_id,
            )
        self._subscribe()
        self._detect()
        self._handle_alert()
        self._deliver()
        self._edit()
        self._stamp()
        self.owner.execute(
            "UPDATE membership SET name = %s WHERE customer_id = %s",
            f"Member {self.mark}",
            self.customer_id,
        )
        self.ids: dict[str, int] = {
            table: self.owner.value(
                f"SELECT min(id) FROM {table} WHERE customer_id = %s", self.customer_id
            )
            for table in (
                "alert", "alert_rule", "api_token", "audit_entry", "claim", "cpt_group",
                "cpt_mapping", "drift_event", "drift_run", "membership", "payer", "payer_alias",
                "upload", "webhook_delivery", "webhook_endpoint",
            )
        }  # fmt: skip
        self.ids["customer"] = self.customer_id
        self.ids["user"] = self.people["admin"]

    def _subscribe(self) -> None:
        """Have two endpoints told what happens from now on."""
        for number in (1, 2):
            self._endpoint(f"https://{self.mark}.example/{number}", description=self.mark)

    def _endpoint(self, url: str, **columns: Any) -> int:
        customer_id = self.customer_id
        endpoint_id = self.insert("webhook_endpoint", customer_id=customer_id, url=url, **columns)
        self.insert(
            "webhook_secret",
            customer_id=customer_id,
            endpoint_id=endpoint_id,
            ciphertext=self.mark.encode(),
            key_id=self.mark,
        )
        return endpoint_id

    def _deliver(self) -> None:
        """Two attempts at the first delivery."""
        delivery_id = self.owner.value(
            "SELECT min(id) FROM webhook_delivery WHERE customer_id = %s", self.customer_id
        )
        for number in (1, 2):
            self.insert(
                "webhook_attempt",
                customer_id=self.customer_id,
                delivery_id=delivery_id,
                number=number,
                started_at=AS_OF,
                error=self.mark,
                response=self.mark,
            )

    def _detect(self) -> None:
        for payer, group in (
            (f"Payer {self.mark}", self.mark.upper()),
            (f"Second {self.mark}", f"{self.mark}.2".upper()),
        ):
            self.decide_steps(
                date(2025, 1, 1),
                [(date(2025, 11, 1), 0.1), (AS_OF, 0.5)],
                per_day=4,
                payer=payer,
                group=group,
            )
        for _ in range(2):
            self.detect(AS_OF, trigger=f"{self.mark}-run")

    def _handle_alert(self) -> None:
        self.alert_id: int = self.owner.value(
            "SELECT min(id) FROM alert WHERE customer_id = %s", self.customer_id
        )
        note = f"note {self.mark}"
        self.acknowledge(self.alert_id, p_actor_id=self.people["member"], p_note=note)
        for user_id in self.people.values():
            self.judge(self.alert_id, user_id, "real", p_note=note)

    def _edit(self) -> None:
        mark, customer_id = self.mark, self.customer_id
        payer_id, group_id = self.payer(f"Payer {mark}"), self.group(mark.upper())
        for table, columns in {
            "payer_alias": {"alias": f"Alias {mark}", "payer_id": payer_id},
            "cpt_mapping": {"cpt": mark.upper(), "cpt_group_id": group_id},
            "alert_rule": {"name": f"Rule {mark}", "payer_id": payer_id, "cpt_group_id": group_id},
            "upload_chunk": {"upload_id": self.upload_id, "number": 0, "content": mark.encode()},
        }.items():
            self.insert(table, customer_id=customer_id, **columns)
        for line in (2, 3):
            self.insert(
                "upload_error",
                customer_id=customer_id,
                upload_id=self.upload_id,
                line=line,
                column=mark,
                message=f"is {mark}",
            )
        self.clone("upload", self.upload_id)

    def _stamp(self) -> None:
        """Put the mark where it didn't get by itself."""
        for table, assignments in {
            "claim": "source = mark, claim_number = mark || claim_number, denial_code = mark",
            "upload": (
                "filename = mark, source = mark, sha256 = rpad(mark, 64, '0'), error = mark,"
                " ignored_columns = ARRAY[mark], patient_columns = ARRAY[mark]"
            ),
            "drift_run": "error = mark, parameters = parameters || jsonb_build_object('m', mark)",
            "drift_measurement": (
                "windows = jsonb_set(windows, '{0,m}', to_jsonb(mark)), strata = to_jsonb(mark)"
            ),
            "drift_event": "strata = to_jsonb(mark)",
            "alert_rule": "name = name || mark",
            "alert": (
                "baseline_strata = to_jsonb(mark),"
                " rule_definition = rule_definition || jsonb_build_object('m', mark)"
            ),
            "alert_transition": "note = note || mark",
            "api_token": "name = mark, prefix = mark",
            "webhook_endpoint": "status_reason = mark",
            "webhook_event": (
                "message_id = left(mark || message_id, 40), dedup_key = mark || dedup_key,"
                " payload = payload || jsonb_build_object('m', mark)"
            ),
            "webhook_delivery": "last_error = mark",
            # The last: what is above has left entries.
            "audit_entry": (
                "actor_id = actor, changes = changes || jsonb_build_object('m', jsonb_build_array("
                "NULL, mark))"
            ),
        }.items():
            self.owner.execute(
                f"UPDATE {table} SET {assignments}"
                " FROM (SELECT %s::text AS mark, %s::bigint AS actor) AS s WHERE customer_id = %s",
                self.mark,
                self.people["admin"],
                self.customer_id,
            )
        # One that nobody has: the digest of a real one can't be chosen.
        self.insert_token(self.people["member"], digest=self.mark.ljust(64, "0"))

    # Rows

    def insert(self, table: str, **columns: Any) -> int:
        """A new row, as the owner; its id."""
        names = ", ".join(f'"{name}"' for name in columns)
        values = ", ".join(["%s"] * len(columns))
        row_id: int = self.owner.value(
            f'INSERT INTO "{table}" ({names}) VALUES ({values}) RETURNING id', *columns.values()
        )
        return row_id

    def insert_token(self, user_id: int, **columns: Any) -> int:
        """A token, as the owner, who isn't asked whether the user may have one."""
        return insert_token(self.owner, self.customer_id, user_id, name=self.mark, **columns)

    def clone(self, table: str, row_id: int, **changes: Any) -> int:
        """A copy of a row with some columns changed; its id."""
        columns = [
            name
            for (name,) in self.owner.execute(
                "SELECT attname FROM pg_attribute"
                " WHERE attrelid = %s::regclass AND attnum > 0 AND attname <> 'id'",
                table,
            )
        ]
        values = ", ".join("%s" if name in changes else f'"{name}"' for name in columns)
        clone_id: int = self.owner.value(
            f"INSERT INTO {table} ({', '.join(columns)})"
            f" SELECT {values} FROM {table} WHERE id = %s RETURNING id",
            *(changes[name] for name in columns if name in changes),
            row_id,
        )
        return clone_id

    def fresh(self, kind: str, user_id: int | None = None) -> int:
        """A new object of a kind that operations act on; tokens belong to a user."""
        name = f"{kind} {self.mark} {next(_numbers)}"
        own = {"customer_id": self.customer_id}
        match kind:
            case "payer" | "cpt_group" | "alert_rule":
                return self.insert(kind, name=name, **own)
            case "payer_alias":
                return self.insert(kind, alias=name, payer_id=self.ids["payer"], **own)
            case "cpt_mapping":
                code = f"{self.mark}.{next(_numbers)}".upper()
                return self.insert(kind, cpt=code, cpt_group_id=self.ids["cpt_group"], **own)
            case "membership":
                return self.insert(kind, user_id=self.user(), **own)
            case "api_token":
                return self.insert_token(self.people["admin"] if user_id is None else user_id)
            case "webhook_endpoint" | "paused webhook_endpoint":
                return self._another_endpoint("paused" if kind != "webhook_endpoint" else "active")
            case "webhook_delivery":
                return self._another_delivery(name)
            case "open alert":
                return self._another_alert(status="open")
            case "resolved alert":
                return self._another_alert(
                    status="resolved", resolved_by="user", resolved_as_of=AS_OF
                )
            case _:
                return self.ids[kind]

    def _another_alert(self, **columns: Any) -> int:
        return self.clone("alert", self.alert_id, payer_id=self.fresh("payer"), **columns)

    def _another_endpoint(self, status: str) -> int:
        # A customer may have 50.
        for (endpoint_id,) in self.owner.execute(
            "SELECT id FROM webhook_endpoint WHERE customer_id = %s AND description = 'another'"
            " ORDER BY id DESC OFFSET 20",
            self.customer_id,
        ):
            self.owner.execute(
                "SELECT webhooks.delete_endpoint(p_customer_id => %s, p_endpoint_id => %s)",
                self.customer_id,
                endpoint_id,
            )
        url = f"https://{self.mark}.example/another/{next(_numbers)}"
        return self._endpoint(url, description="another", status=status)

    def _another_delivery(self, name: str) -> int:
        own = {"customer_id": self.customer_id}
        event_id = self.insert(
            "webhook_event",
            type="webhook.test",
            payload=f'{{"m": "{self.mark}"}}',
            message_id=name[-40:],
            dedup_key=name,
            **own,
        )
        return self.insert(
            "webhook_delivery",
            event_id=event_id,
            endpoint_id=self.ids["webhook_endpoint"],
            status="failed",
            next_attempt_at=None,
            finished_at=AS_OF,
            **own,
        )

    # Answers

    def is_in(self, content: bytes) -> bool:
        """Whether a text has anything of this customer's."""
        return bool(self._traces.search(content.decode("utf-8", "replace")))

    def traces_in(self, answer: Answer) -> list[str]:
        """Everything in an answer that is this customer's: headers and cursors included."""
        text = answer.content.decode("utf-8", "replace")
        cursors = [
            str(signing.loads(cursor, salt=SALT))
            for cursor in re.findall(r"[?&]cursor=([^&\"]+)", text.replace("%3A", ":"))
        ]
        return self._traces.findall("\n".join([text, *cursors, *answer.headers.values()]))


def insert_token(
    owner: Database, customer_id: int | None, user_id: int, *, name: str = "test", **columns: Any
) -> int:
    """A token, as the owner, who isn't asked whether the user may have one."""
    values = {
        "customer_id": customer_id,
        "user_id": user_id,
        "name": name,
        "prefix": name[:12],
        "scope": "write",
        "digest": f"{next(_numbers):064d}",
        "expires_at": "infinity",
        **columns,
    }
    token_id: int = owner.value(
        f"INSERT INTO api_token ({', '.join(values)})"
        f" VALUES ({', '.join(['%s'] * len(values))}) RETURNING id",
        *values.values(),
    )
    return token_id


class Fingerprints:
    """What the database holds, so compact that it can be asked for after every request.

    A row that was written, even to the same values, has another xmin or place. Tokens are compared
    by their columns: when one was last used is noted at every use.
    """

    TOKEN = "concat(t.id, t.customer_id, t.user_id, t.name, t.digest, t.scope, t.expires_at)"  # noqa: S105

    def __init__(self, owner: Database, *worlds: World) -> None:
        self.owner = owner
        self.names = {world.customer_id: world.mark for world in worlds}
        tables = owner.execute(
            "SELECT c.relname, EXISTS (SELECT FROM pg_attribute AS a"
            " WHERE a.attrelid = c.oid AND a.attname = 'customer_id' AND a.attnum > 0)"
            " FROM pg_class AS c"
            " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' ORDER BY 1"
        )
        ids = ", ".join(map(str, self.names))
        parts = []
        for table, is_tenants in tables:
            row = self.TOKEN if table == "api_token" else "concat(t.xmin, t.ctid)"
            customer, where = "NULL::bigint", ""
            if table == "customer":
                customer = f"CASE WHEN t.id IN ({ids}) THEN t.id END"
            elif is_tenants:
                customer = "t.customer_id"
                where = f"WHERE t.customer_id IN ({ids}) OR t.customer_id IS NULL"
            parts.append(
                f"SELECT '{table}', {customer}, count(*), sum(hashtextextended({row}, 0))"
                f' FROM public."{table}" AS t {where} GROUP BY 2'
            )
        owner.execute("DEALLOCATE ALL")
        owner.execute(f"PREPARE fingerprint AS {' UNION ALL '.join(parts)}")

    def take(self) -> dict[tuple[str, str], tuple[int, int]]:
        """(table, mark) of everything that isn't empty; "" for what belongs to no customer."""
        return {
            (table, self.names.get(customer_id, "")): (count, int(total))
            for table, customer_id, count, total in self.owner.execute("EXECUTE fingerprint")
        }

    def of(self, world: World) -> dict[tuple[str, str], tuple[int, int]]:
        """The part that is one customer's."""
        return {key: value for key, value in self.take().items() if key[1] == world.mark}
