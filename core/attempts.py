"""How the worker tries again: at once what may work now, and later what a dead worker left."""

import logging
import time
from collections.abc import Callable
from typing import Final

from asgiref.sync import sync_to_async
from django.db import InterfaceError, OperationalError, connection
from procrastinate import RetryStrategy
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager

from core.errors import is_transient, reason

logger = logging.getLogger(__name__)

# Together longer than PostgreSQL takes to start again.
PAUSES: Final = (0.0, 1.0, 4.0, 15.0)
# A job that takes its worker with it, for want of memory say, would do so for ever.
MAX_ATTEMPTS: Final = 5
# When it couldn't even be noted that a job was given up. Should the same job have been queued again
# meanwhile, this retry is refused, and that one does the work.
LATER: Final = RetryStrategy(
    max_attempts=MAX_ATTEMPTS, wait=60, retry_exceptions=(InterfaceError, OperationalError)
)

GiveUp = Callable[..., None]


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


async def retry_stalled(manager: JobManager, give_up: dict[str, GiveUp]) -> None:
    """Queue again what workers were doing that don't give a sign of life any more.

    A worker that merely was away goes on: jobs may run twice. What was tried too often is ended
    by the function that `give_up` has for its task, called with the job's arguments and `error`.
    """
    for job in await manager.get_stalled_jobs():
        try:
            if job.attempts + 1 < MAX_ATTEMPTS:
                await manager.retry_job(job)
            else:
                await _end(manager, job, give_up.get(job.task_name))
        except UniqueViolation:
            # One that waits already does the same.
            await _finish(manager, job, Status.ABORTED)
        except ConnectorException:
            logger.info("Job %s isn't stalled any more.", job.id)


async def _end(manager: JobManager, job: Job, give_up: GiveUp | None) -> None:
    logger.error("Job %s (%s) was given up: its worker died each time.", job.id, job.task_name)
    if give_up is not None:
        error = f"The worker died {MAX_ATTEMPTS} times while it was at it."
        await sync_to_async(give_up)(**job.task_kwargs, error=error)
    await _finish(manager, job, Status.FAILED)


async def _finish(manager: JobManager, job: Job, status: Status) -> None:
    await manager.finish_job(job, status=status, delete_job=False)
