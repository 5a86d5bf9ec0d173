"""Typed wrappers of the stored functions: the only Python that names them.

One wrapper per function, keyword-only, under the function's own name with its schema in front
(`drift.detect` is `drift_detect`). Database errors pass through: `core.errors` maps them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from procrastinate.connector import BaseAsyncConnector


def _value(sql: str, **parameters: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        row = cursor.fetchone()
    return None if row is None else row[0]


def _call(function: str, **parameters: Any) -> Any:
    """Call a function by name and with named parameters, each without its `p_`."""
    named = ", ".join(f"p_{name} => %({name})s" for name in parameters)
    return _value(f"SELECT {function}({named})", **parameters)


def _row(sql: str, **parameters: Any) -> dict[str, Any] | None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        row = cursor.fetchone()
        return (
            None if row is None else dict(zip((c[0] for c in cursor.description), row, strict=True))
        )


def drift_detect(*, customer_id: int, as_of: date | None = None, trigger: str = "manual") -> int:
    """Detect drift for one customer as of a day (None: today there). Returns the drift_run's id."""
    run_id: int = _call("drift.detect", customer_id=customer_id, as_of=as_of, trigger=trigger)
    return run_id


def drift_explain(
    *, customer_id: int, as_of: date, payer_id: int, cpt_group_id: int | None
) -> list[str]:
    """Why there was an alert on a payer's group as of a day, or why none: sentences in order.

    cpt_group_id None: the payer as a whole.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT line FROM drift.explain(p_customer_id => %(customer_id)s,"
            " p_as_of => %(as_of)s, p_payer_id => %(payer_id)s,"
            " p_cpt_group_id => %(cpt_group_id)s) ORDER BY line_number",
            {
                "customer_id": customer_id,
                "as_of": as_of,
                "payer_id": payer_id,
                "cpt_group_id": cpt_group_id,
            },
        )
        return [line for (line,) in cursor.fetchall()]


def drift_queue_detection(
    *, customer_id: int, as_of: date | None = None, trigger: str = "manual"
) -> int | None:
    """Queue detection for one customer. Returns the job's id, None if one is waiting already."""
    job_id: int | None = _call(
        "drift.queue_detection", customer_id=customer_id, as_of=as_of, trigger=trigger
    )
    return job_id


def drift_request_run(*, customer_id: int, as_of: date | None) -> int:
    """Ask for a run as of a day (None: today there), by the worker. Returns the drift_run's id."""
    run_id: int = _call("drift.request_run", customer_id=customer_id, as_of=as_of)
    return run_id


def drift_start_run(*, customer_id: int, run_id: int) -> bool:
    """Mark a queued run as running. Returns whether it is to be carried out."""
    found: bool = _call("drift.start_run", customer_id=customer_id, run_id=run_id)
    return found


def drift_run_requested(*, customer_id: int, run_id: int) -> int:
    """Carry out a run that was asked for, unless it is finished. Returns its id."""
    found: int = _call("drift.run_requested", customer_id=customer_id, run_id=run_id)
    return found


def drift_fail_run(*, customer_id: int, run_id: int, error: str) -> None:
    """Mark a run that isn't finished as failed, for a reason that quotes no data."""
    _call("drift.fail_run", customer_id=customer_id, run_id=run_id, error=error)


def drift_queue_nightly() -> int:
    """Queue tonight's run of each customer that has none yet. Returns how many."""
    queued: int = _call("drift.queue_nightly")
    return queued


@dataclass(frozen=True)
class Upload:
    """What became of a file: `status` completed, failed (see `error`) or repeated.

    Repeated means that nothing was done: from `ingest_merge_v2` it is the completed upload with its
    numbers, from `ingest_merge_received` the repeated one.
    """

    upload_id: int
    status: str
    error: str
    rows_total: int
    rows_inserted: int
    rows_updated: int
    rows_unchanged: int
    rows_stale: int
    rows_rejected: int


def ingest_create_staging() -> None:
    """Create pg_temp.staging; then copy rows into it and call `ingest_merge_v2`."""
    _value("SELECT ingest.create_staging()")


def ingest_merge_v2(
    *,
    customer_id: int,
    filename: str,
    sha256: str,
    size_bytes: int,
    strict: bool = False,
    correct: bool = False,
    force: bool = False,
    source: str = "",
    ignored_columns: Sequence[str] = (),
    patient_columns: Sequence[str] = (),
) -> Upload:
    """Validate the staged rows and apply the valid ones to the claims."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM ingest.merge_v2(p_customer_id => %(customer_id)s,"
            " p_filename => %(filename)s, p_sha256 => %(sha256)s,"
            " p_size_bytes => %(size_bytes)s, p_strict => %(strict)s, p_correct => %(correct)s,"
            " p_force => %(force)s, p_ignored_columns => %(ignored_columns)s::text[],"
            " p_patient_columns => %(patient_columns)s::text[], p_source => %(source)s)",
            {
                "customer_id": customer_id,
                "source": source,
                "filename": filename,
                "sha256": sha256,
                "size_bytes": size_bytes,
                "strict": strict,
                "correct": correct,
                "force": force,
                "ignored_columns": list(ignored_columns),
                "patient_columns": list(patient_columns),
            },
        )
        return Upload(*cursor.fetchone())


def ingest_receive_upload_v2(
    *,
    customer_id: int,
    filename: str,
    sha256: str,
    size_bytes: int,
    strict: bool = False,
    correct: bool = False,
    force: bool = False,
    source: str = "",
) -> int:
    """Announce a file. Returns the upload's id, for `ingest_add_chunk` in the same transaction."""
    upload_id: int = _call(
        "ingest.receive_upload_v2",
        customer_id=customer_id,
        filename=filename,
        sha256=sha256,
        size_bytes=size_bytes,
        strict=strict,
        correct=correct,
        force=force,
        source=source,
    )
    return upload_id


def ingest_add_chunk(*, customer_id: int, upload_id: int, number: int, content: bytes) -> None:
    """Keep a piece of a file, about 1 MB, numbered from 0."""
    _call(
        "ingest.add_chunk",
        customer_id=customer_id,
        upload_id=upload_id,
        number=number,
        content=content,
    )


def ingest_queue_upload(*, customer_id: int, upload_id: int) -> int:
    """Queue the load of an upload whose bytes are all there. Returns the job's id."""
    job_id: int = _call("ingest.queue_upload", customer_id=customer_id, upload_id=upload_id)
    return job_id


def ingest_take_upload(*, customer_id: int, upload_id: int) -> bool:
    """Take a received upload to be loaded in this transaction. False: nothing is to be done."""
    taken: bool = _call("ingest.take_upload", customer_id=customer_id, upload_id=upload_id)
    return taken


def ingest_merge_received(
    *,
    customer_id: int,
    upload_id: int,
    ignored_columns: Sequence[str] = (),
    patient_columns: Sequence[str] = (),
) -> Upload:
    """Validate the staged rows of a received upload and apply the valid ones to the claims."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM ingest.merge_received(p_customer_id => %(customer_id)s,"
            " p_upload_id => %(upload_id)s,"
            " p_ignored_columns => %(ignored_columns)s::text[],"
            " p_patient_columns => %(patient_columns)s::text[])",
            {
                "customer_id": customer_id,
                "upload_id": upload_id,
                "ignored_columns": list(ignored_columns),
                "patient_columns": list(patient_columns),
            },
        )
        return Upload(*cursor.fetchone())


def ingest_fail_upload(*, customer_id: int, upload_id: int, error: str) -> None:
    """End a received upload as failed, for a reason that quotes no data."""
    _call("ingest.fail_upload", customer_id=customer_id, upload_id=upload_id, error=error)


def ingest_remap_claims(*, customer_id: int) -> int:
    """Apply changed aliases and mappings to all claims. Returns how many claim lines moved."""
    moved: int = _call("ingest.remap_claims", customer_id=customer_id)
    return moved


def maintenance_prune() -> int:
    """Delete one batch of what is old and needed by nothing. Returns how many rows; 0: all gone."""
    deleted: int = _value("SELECT sum(p.rows_deleted)::bigint FROM maintenance.prune() AS p")
    return deleted


def tenancy_authenticate(*, digest: str) -> dict[str, Any] | None:
    """Whose token this is: the columns of tenancy.authenticate; None for nobody's."""
    return _row("SELECT * FROM tenancy.authenticate(p_digest => %(digest)s)", digest=digest)


def alerts_acknowledge(*, customer_id: int, alert_id: int, actor_id: int | None, note: str) -> int:
    """Acknowledge an open alert. Returns its new version."""
    found: int = _call(
        "alerts.acknowledge",
        customer_id=customer_id,
        alert_id=alert_id,
        actor_id=actor_id,
        note=note,
    )
    return found


def alerts_reopen(*, customer_id: int, alert_id: int, actor_id: int | None, note: str) -> int:
    """Reopen a resolved alert. Returns its new version."""
    found: int = _call(
        "alerts.reopen", customer_id=customer_id, alert_id=alert_id, actor_id=actor_id, note=note
    )
    return found


def alerts_resolve(
    *, customer_id: int, alert_id: int, actor_id: int | None, note: str, new_normal: bool
) -> int:
    """Resolve a live alert. Returns its new version."""
    found: int = _call(
        "alerts.resolve",
        customer_id=customer_id,
        alert_id=alert_id,
        actor_id=actor_id,
        note=note,
        new_normal=new_normal,
    )
    return found


def alerts_judge(
    *,
    customer_id: int,
    alert_id: int,
    user_id: int,
    verdict: str,
    recovered_amount: Decimal | None,
    note: str,
) -> int:
    """Record a user's verdict on an alert. Returns the judgment's id."""
    found: int = _call(
        "alerts.judge",
        customer_id=customer_id,
        alert_id=alert_id,
        user_id=user_id,
        verdict=verdict,
        recovered_amount=recovered_amount,
        note=note,
    )
    return found


def drift_newest_as_of(*, customer_id: int) -> date | None:
    """Where a customer's alerts stand: the newest day that was applied; None before the first."""
    found: date | None = _call("drift.newest_as_of", customer_id=customer_id)
    return found


async def _call_async(database: BaseAsyncConnector, function: str, **parameters: Any) -> Any:
    """Like `_call`, a row as a dict, over a connection of the worker's event loop."""
    named = ", ".join(f"p_{name} => %({name})s" for name in parameters)
    return await database.execute_query_one_async(
        f"SELECT * FROM {function}({named}) AS value",  # noqa: S608
        **parameters,
    )


@dataclass(frozen=True)
class Attempt:
    """What webhooks.begin_attempt decided: `send`, `postpone` or `drop`, and why.

    To be sent: `body` to `url`, signed with each secret, newest first.
    """

    decision: str
    reason: str | None
    attempt: int
    url: str
    message_id: str
    body: str
    ciphertexts: Sequence[bytes]
    key_ids: Sequence[str]


async def webhooks_begin_attempt(
    database: BaseAsyncConnector, *, customer_id: int, delivery_id: int
) -> Attempt:
    """Begin an attempt at a delivery, if it is to be attempted now."""
    return Attempt(
        **await _call_async(
            database, "webhooks.begin_attempt", customer_id=customer_id, delivery_id=delivery_id
        )
    )


async def webhooks_finish_attempt(
    database: BaseAsyncConnector,
    *,
    customer_id: int,
    delivery_id: int,
    attempt: int,
    duration_ms: int,
    status_code: int | None,
    error: str,
    response: str,
    retry_after: str | None,
    schedule: Sequence[int],
) -> str:
    """Record what came of an attempt. Returns what follows, in a word: see the function."""
    found = await _call_async(
        database,
        "webhooks.finish_attempt",
        customer_id=customer_id,
        delivery_id=delivery_id,
        attempt=attempt,
        duration_ms=duration_ms,
        status_code=status_code,
        error=error,
        response=response,
        retry_after=retry_after,
        schedule=list(schedule),
    )
    return str(found["value"])


def webhooks_create_endpoint(
    *,
    customer_id: int,
    url: str,
    description: str,
    event_types: Sequence[str],
    max_in_flight: int | None,
    ciphertext: bytes,
    key_id: str,
) -> int:
    """Add an endpoint with its first secret, encrypted. Returns its id."""
    endpoint_id: int = _call(
        "webhooks.create_endpoint",
        customer_id=customer_id,
        url=url,
        description=description,
        event_types=list(event_types),
        max_in_flight=max_in_flight,
        ciphertext=ciphertext,
        key_id=key_id,
    )
    return endpoint_id


def webhooks_rotate_secret(
    *,
    customer_id: int,
    endpoint_id: int,
    ciphertext: bytes,
    key_id: str,
    overlap: timedelta = timedelta(hours=24),
) -> datetime:
    """Give an endpoint a new secret. Returns until when the former one signs as well."""
    until: datetime = _call(
        "webhooks.rotate_secret",
        customer_id=customer_id,
        endpoint_id=endpoint_id,
        ciphertext=ciphertext,
        key_id=key_id,
        overlap=overlap,
    )
    return until


def webhooks_delete_endpoint(*, customer_id: int, endpoint_id: int) -> None:
    """Delete an endpoint with its secrets, deliveries and attempts."""
    _call("webhooks.delete_endpoint", customer_id=customer_id, endpoint_id=endpoint_id)


def webhooks_pause(*, customer_id: int, endpoint_id: int) -> None:
    """Hold back what is sent to an endpoint."""
    _call("webhooks.pause", customer_id=customer_id, endpoint_id=endpoint_id)


def webhooks_resume(*, customer_id: int, endpoint_id: int) -> None:
    """Make a paused or disabled endpoint active again."""
    _call("webhooks.resume", customer_id=customer_id, endpoint_id=endpoint_id)


def webhooks_send_test(*, customer_id: int, endpoint_id: int) -> int:
    """Send a webhook.test to one endpoint. Returns the delivery's id."""
    delivery_id: int = _call("webhooks.send_test", customer_id=customer_id, endpoint_id=endpoint_id)
    return delivery_id


def webhooks_replay(*, customer_id: int, delivery_id: int) -> None:
    """Send a delivery again, whatever became of it."""
    _call("webhooks.replay", customer_id=customer_id, delivery_id=delivery_id)


def webhooks_recover(*, customer_id: int, endpoint_id: int, since: datetime) -> int:
    """Send an endpoint what happened since a time and did not reach it. Returns how many."""
    count: int = _call(
        "webhooks.recover", customer_id=customer_id, endpoint_id=endpoint_id, since=since
    )
    return count


@dataclass(frozen=True)
class StalledJob:
    """A job whose worker is gone, and what was done: `queued`, `failed` or `aborted`."""

    id: int
    task: str
    outcome: str


def maintenance_requeue_stalled_jobs() -> list[StalledJob]:
    """Queue again what dead workers were doing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM maintenance.requeue_stalled_jobs()")
        return [StalledJob(*row) for row in cursor.fetchall()]


def maintenance_requeue_deliveries() -> int:
    """Queue deliveries that are due and have no job. Returns how many."""
    queued: int = _call("maintenance.requeue_deliveries")
    return queued


def tenancy_revoke_token(*, customer_id: int, token_id: int) -> bool:
    """End a token of a customer. Returns whether there was one."""
    found: bool = _call("tenancy.revoke_token", customer_id=customer_id, token_id=token_id)
    return found


def tenancy_revoke_superuser_token(*, token_id: int) -> bool:
    """End a superuser's token. Returns whether there was one."""
    found: bool = _call("tenancy.revoke_superuser_token", token_id=token_id)
    return found


def tenancy_local_date(*, customer_id: int) -> date:
    """Today in the customer's time zone."""
    today: date = _value(
        "SELECT tenancy.local_date(p_customer_id => %(customer_id)s, p_at => now())",
        customer_id=customer_id,
    )
    return today


@dataclass(frozen=True)
class Metric:
    """One number of /metrics."""

    name: str
    labels: dict[str, str]
    value: float


def maintenance_metrics() -> list[Metric]:
    """What /metrics shows of the database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, labels::text, value FROM maintenance.metrics()")
        return [Metric(name, json.loads(labels), value) for name, labels, value in cursor]


def tenancy_count_login(*, account: str, address: str) -> int:
    """Count an attempt to sign in. Returns the seconds to wait, 0 when it may go on.

    Call it in autocommit, before the password is looked at.
    """
    wait: int = _value(
        "SELECT tenancy.count_login(p_account => %(account)s, p_address => %(address)s)",
        account=_account(account),
        address=address,
    )
    return wait


def tenancy_forgive_login(*, account: str) -> None:
    """Forget the attempts counted for an account, once its password was right."""
    _value("SELECT tenancy.forgive_login(p_account => %(account)s)", account=_account(account))


def _account(name: str) -> str:
    """One name for each way of writing an account that finds the same user.

    Otherwise each blank around it would buy ten more guesses. What the database can't hold as text
    names no user at all.
    """
    name = name.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    return name.strip().lower()[:254]


def tenancy_create_token(
    *,
    customer_id: int,
    user_id: int,
    name: str,
    prefix: str,
    digest: str,
    scope: str,
    expires_at: datetime,
) -> int:
    """Add a token for a member. Returns its id."""
    found: int = _call(
        "tenancy.create_token",
        customer_id=customer_id,
        user_id=user_id,
        name=name,
        prefix=prefix,
        digest=digest,
        scope=scope,
        expires_at=expires_at,
    )
    return found


def tenancy_create_superuser_token(
    *, user_id: int, name: str, prefix: str, digest: str, scope: str, expires_at: datetime
) -> int:
    """Add a token for a superuser. Returns its id."""
    found: int = _call(
        "tenancy.create_superuser_token",
        user_id=user_id,
        name=name,
        prefix=prefix,
        digest=digest,
        scope=scope,
        expires_at=expires_at,
    )
    return found


def tenancy_add_member(*, customer_id: int, email: str, name: str, role: str) -> int:
    """Make the user with this address a member, adding one who isn't known.

    Returns the membership's id.
    """
    found: int = _call(
        "tenancy.add_member", customer_id=customer_id, email=email, name=name, role=role
    )
    return found


def tenancy_change_role(*, customer_id: int, membership_id: int, role: str) -> None:
    """Make a member an admin, or an admin a member."""
    _call("tenancy.change_role", customer_id=customer_id, membership_id=membership_id, role=role)


def tenancy_remove_member(*, customer_id: int, membership_id: int) -> None:
    """End a membership, and with it the user's tokens for the customer."""
    _call("tenancy.remove_member", customer_id=customer_id, membership_id=membership_id)


def ingest_merge_payers(
    *, customer_id: int, payer_id: int, into_payer_id: int, actor_id: int | None
) -> None:
    """Make a payer a part of another for good. Its claims follow, by the worker."""
    _call(
        "ingest.merge_payers",
        customer_id=customer_id,
        payer_id=payer_id,
        into_payer_id=into_payer_id,
        actor_id=actor_id,
    )


def drift_payer_summary(*, customer_id: int, start: date, end: date) -> dict[int, dict[str, Any]]:
    """What each payer decided from `start` to `end`, both inclusive, by payer id.

    The other columns of drift.payer_summary: counts are claim lines by their first determination,
    rates shares of 1, medians days; `previous_...` the same for as many days before. None where
    there are no lines. `open_alerts` are open or acknowledged.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM drift.payer_summary(p_customer_id => %s, p_start => %s, p_end => %s)",
            [customer_id, start, end],
        )
        names = [column[0] for column in cursor.description[1:]]
        return {row[0]: dict(zip(names, row[1:], strict=True)) for row in cursor.fetchall()}
