"""What a database error means to whoever caused it; docs/errors.md lists our SQLSTATEs."""

from django.db import DatabaseError

OURS = "PD"


def sqlstate(error: DatabaseError) -> str:
    """The SQLSTATE behind a Django database error; "" where the server gave none."""
    return str(getattr(error.__cause__, "pgcode", None) or "")


def explain(error: DatabaseError) -> str:
    """Say what went wrong and what to do, if the error is one of ours; else raise it again.

    Only our own errors are quoted: the text of PostgreSQL's may hold a row's values.
    """
    if not sqlstate(error).startswith(OURS):
        raise error
    diagnosis = error.__cause__.diag  # type: ignore[union-attr]
    sentences = (f"{diagnosis.message_primary}.", diagnosis.message_detail, diagnosis.message_hint)
    text = " ".join(sentence for sentence in sentences if sentence)
    return text[0].upper() + text[1:]
