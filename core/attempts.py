"""How the worker tries again what may work now, or after it was stopped."""

import asyncio
import time
from collections.abc import Callable
from typing import Final, cast

from django.db import InterfaceError, OperationalError, connection
from procrastinate import RetryStrategy
from procrastinate.exceptions import ConnectorException

from core.errors import is_transient, reason

# Together longer than PostgreSQL takes to start again.
PAUSES: Final = (0.0, 1.0, 4.0, 15.0)
# A job that takes its worker with it, for want of memory say, would do so for ever.
MAX_ATTEMPTS: Final = 5
# When it couldn't even be noted that a job was given up. Should the same job have been queued again
# meanwhile, this retry is refused, and that one does the work.
LATER: Final = RetryStrategy(
    max_attempts=MAX_ATTEMPTS, wait=60, retry_exceptions=(InterfaceError, OperationalError)
)

# A worker that stops cancels what takes too long, and would have it end as aborted.
AFTER_STOP: Final = RetryStrategy(
    max_attempts=MAX_ATTEMPTS,
    wait=5,
    # Its type says Exception, which CancelledError isn't.
    retry_exceptions=cast(
        tuple[type[Exception], ...], (asyncio.CancelledError, ConnectorException)
    ),
)


class JobFailed(Exception):
    """Why a job failed. Quotes no data: the worker logs it, where the database's error would be."""


def attempt(work: Callable[[], object], *, give_up: Callable[[str], None] | None = None) -> None:
    """Do it, a few times if it may work later; else tell `give_up` why and raise JobFailed."""
    for pause in (*PAUSES, None):
        try:
            work()
        except Exception as error:
            if pause is None or not is_transient(error):
                why = reason(error)
                break
        else:
            return
        # One that has broken is opened anew with the next statement.
        connection.close_if_unusable_or_obsolete()
        time.sleep(pause)
    if give_up is not None:
        give_up(why)
    raise JobFailed(why)
