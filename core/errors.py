"""What a database error means to whoever caused it; docs/errors.md lists our SQLSTATEs."""

from django.db import DatabaseError, Error, InterfaceError, OperationalError
from psycopg2 import errorcodes

OURS = "PD"
# Lost connections; rolled back for the sake of another; a lock that was waited for too long.
TRANSIENT_CLASSES = frozenset({"08", "40"})
TRANSIENT = frozenset({"55P03", "57P01", "57P02", "57P03"})


def sqlstate(error: Error) -> str:
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


def is_transient(error: Exception) -> bool:
    """Whether the same work may well succeed when it is tried again."""
    if not isinstance(error, Error):
        return False
    code = sqlstate(error)
    if code:
        return code in TRANSIENT or code[:2] in TRANSIENT_CLASSES
    # Without a code it's the client library's: the connection has gone.
    return isinstance(error, InterfaceError | OperationalError)


def reason(error: Exception) -> str:
    """Say in a sentence what went wrong, without any value: for rows and logs."""
    if not isinstance(error, Error):
        return f"Something unexpected happened ({type(error).__name__})."
    code = sqlstate(error)
    if code.startswith(OURS):
        message = str(error.__cause__.diag.message_primary)  # type: ignore[union-attr]
        return f"{message[0].upper()}{message[1:]} ({code})."
    if not code:
        return "The connection to the database was lost."
    name = errorcodes.lookup(code) if code in vars(errorcodes).values() else "unknown"
    return f"The database refused it: {name.lower().replace('_', ' ')} ({code})."
