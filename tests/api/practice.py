"""A customer with enough claims that it matters how they are found."""

from datetime import date, timedelta
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from django.core import signing

from api.pagination import SALT
from tests.api.client import Office
from tests.database import Database

CLAIMS: Final = 60_000
DAYS: Final = 400
START: Final = date(2025, 4, 1)
RUNS: Final = 20
NAMES: Final = ["Usual", "Ended", "Rare"]


class Practice(Office):
    """Claims of 400 days in a table that others share. Of three payers, one ended after 100 days
    and one is rare; so are some codes and outcomes."""

    def __init__(self, owner: Database, worker: Database) -> None:
        super().__init__(owner, worker)
        self.usual, self.ended, self.rare = map(self.payer, NAMES)
        fill(Office(owner, worker), CLAIMS // 4)
        fill(self, CLAIMS)
        fill(Office(owner, worker), CLAIMS // 4)
        self.runs = self._measure()
        owner.execute("VACUUM (ANALYZE) claim")
        owner.execute("VACUUM (ANALYZE) drift_measurement")

    def _measure(self) -> list[int]:
        runs = []
        for n in range(RUNS):
            [[run_id]] = self.owner.execute(
                "INSERT INTO drift_run (customer_id, as_of, status) VALUES (%s, %s, 'completed')"
                " RETURNING id",
                self.customer_id,
                START + timedelta(n),
            )
            self.owner.execute(
                """
                INSERT INTO drift_measurement (customer_id, run_id, payer_id, cpt_group_id, metric,
                    current_start, current_end, baseline_n, current_n, sufficient, drifted)
                SELECT p.customer_id, %s, p.id, g.id, 'DENIAL_RATE', %s, %s, 0, 0, false, false
                FROM payer AS p JOIN cpt_group AS g USING (customer_id) WHERE p.customer_id = %s
                """,
                run_id,
                START,
                START,
                self.customer_id,
            )
            runs.append(run_id)
        return runs

    def key(self, ordering: str, share: float) -> list[Any]:
        """The key of the row `share` of the way through all claims."""
        column = ordering.removeprefix("-")
        way = "DESC" if ordering.startswith("-") else "ASC"
        columns = ["id"] if column == "id" else [column, "id"]
        [row] = self.owner.execute(
            f"SELECT {', '.join(columns)} FROM claim WHERE customer_id = %s"
            f" ORDER BY {', '.join(f'{name} {way}' for name in columns)} LIMIT 1 OFFSET %s",
            self.customer_id,
            int(CLAIMS * share) - 1,
        )
        return [value.isoformat() if isinstance(value, date) else value for value in row]

    def key_of(self, claim_id: int, ordering: str) -> list[Any]:
        """A claim's key."""
        column = ordering.removeprefix("-")
        value = self.owner.value(f"SELECT {column} FROM claim WHERE id = %s", claim_id)
        if column == "id":
            return [claim_id]
        return [value.isoformat() if isinstance(value, date) else value, claim_id]

    def page_after(
        self, key: list[Any], ordering: str, *, backward: bool = False, **query: Any
    ) -> str:
        """The page that begins after a key: where thousands of `next` would lead to."""
        query["ordering"] = ordering
        answer = self.member.get(f"/claims?{urlencode(query)}")
        [cursor] = parse_qs(urlsplit(answer.json["next"]).query)["cursor"]
        content = signing.loads(cursor, salt=SALT) | {"k": key, "r": backward}
        query["cursor"] = signing.dumps(content, salt=SALT)
        return f"/claims?{urlencode(query)}"


def fill(office: Office, claims: int) -> None:
    """Claims in the order in which they were submitted."""
    payers = [office.payer(name) for name in NAMES]
    groups = [office.group(f"Group {n}") for n in range(200)]
    office.owner.execute(
        """
        INSERT INTO claim (customer_id, source, claim_number, payer_id, payer_name, cpt,
            cpt_group_id, submitted_date, decided_date, outcome, first_decided_date, first_outcome,
            denial_code, upload_id)
        SELECT %s, CASE WHEN n %% 4000 = 3 THEN 'lab' ELSE '' END, 'C' || 100000 + n,
            (%s::bigint[])[1 + payer], (%s::text[])[1 + payer],
            (99000 + n %% 40)::text, (%s::bigint[])[1 + n %% 20], submitted,
            CASE WHEN outcome <> 'PENDING' THEN submitted + n %% 9 END, outcome,
            CASE WHEN outcome <> 'PENDING' THEN submitted + n %% 9 END, nullif(outcome, 'PENDING'),
            CASE WHEN outcome = 'DENIED' THEN
                CASE WHEN n %% 7000 = 0 THEN 'CO-9' ELSE 'CO-1' END
            END,
            %s
        FROM generate_series(0, %s - 1) AS n
        CROSS JOIN LATERAL (
            SELECT
                %s::date + n * %s / %s AS submitted,
                CASE WHEN n %% 5000 = 17 THEN 2 WHEN n < %s / 4 AND n %% 5 > 0 THEN 1 ELSE 0 END
                    AS payer,
                CASE WHEN n %% 1000 = 7 THEN 'PENDING' WHEN n %% 10 = 0 THEN 'DENIED' ELSE 'PAID'
                    END AS outcome
        ) AS d
        """,
        *(office.customer_id, payers, NAMES, groups, office.upload_id, claims),
        *(START, DAYS, claims, claims),
    )
