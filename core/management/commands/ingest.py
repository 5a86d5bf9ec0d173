"""manage.py ingest: load a CSV file of claims."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from core.errors import explain
from core.functions import Upload
from core.ingest import is_source, load_claims
from core.ingest_header import ClaimFileError
from core.management.lookup import find_customer
from core.models import Upload as UploadRow
from core.models import UploadError

SHOWN_PROBLEMS = 10


class Command(BaseCommand):
    help = (
        "Loads a CSV file of claims. Rows that can't be right are rejected, with their reasons; "
        "the rest is loaded. Nothing happens to a file that was loaded before."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the file, gzip or not; - reads stdin")
        parser.add_argument("--customer", required=True, metavar="SLUG", help="whose claims")
        parser.add_argument(
            "--strict", action="store_true", help="load nothing if any row is rejected"
        )
        parser.add_argument(
            "--correct",
            action="store_true",
            help="rows win over what is stored, whatever their dates; first determinations too",
        )
        parser.add_argument(
            "--force", action="store_true", help="load it even if it was loaded before"
        )
        parser.add_argument(
            "--source",
            default="",
            metavar="NAME",
            help="the billing system that numbered the claims, for rows that name none themselves",
        )

    def handle(self, *, file: str, customer: str, **options: Any) -> None:
        found = find_customer(customer)
        try:
            with open_file(file) as stream, progress(file) as on_read:
                upload = load_claims(
                    stream,
                    customer_id=found.pk,
                    filename="stdin" if file == "-" else Path(file).name,
                    strict=options["strict"],
                    correct=options["correct"],
                    force=options["force"],
                    source=source_name(options["source"]),
                    on_read=on_read,
                )
        except OSError as error:
            raise CommandError(f"{file} can't be read: {error.strerror or error}.") from error
        except ClaimFileError as error:
            raise CommandError(f"{error} Nothing was loaded.") from error
        except DatabaseError as error:
            raise CommandError(f"{explain(error)} Nothing was loaded.") from error
        if upload.status == "repeated":
            self.stdout.write(
                f"Upload {upload.upload_id} was this file: {upload.error}, so nothing was done. "
                "--force loads it again."
            )
            return
        self._report(upload)
        if upload.status == "failed":
            raise CommandError(f"Nothing was loaded: {upload.error}.")

    def _report(self, upload: Upload) -> None:
        self.stdout.write(f"Upload {upload.upload_id}: {upload.rows_total:,} rows")
        for name in ("inserted", "updated", "unchanged", "stale", "rejected"):
            self.stdout.write(f"  {name:9} {getattr(upload, f'rows_{name}'):>12,}")
        row = UploadRow.objects.get(id=upload.upload_id)
        if row.patient_columns:
            self.stdout.write(
                f"Left out, patient data by their names: {', '.join(row.patient_columns)}"
            )
        if row.ignored_columns:
            self.stdout.write(f"Left out, not known: {', '.join(row.ignored_columns)}")
        if upload.rows_rejected:
            self._report_problems(row)

    def _report_problems(self, row: UploadRow) -> None:
        problems = UploadError.objects.filter(customer_id=row.customer_id, upload_id=row.pk)
        for problem in problems.order_by("line", "id")[:SHOWN_PROBLEMS]:
            self.stdout.write(
                f"  line {problem.line}: {f'{problem.column} '.lstrip()}{problem.message}"
            )
        more = problems.count() - SHOWN_PROBLEMS
        if more > 0:
            self.stdout.write(f"  ... and {more:,} more, in upload_error")


def source_name(text: str) -> str:
    if not is_source(text):
        raise CommandError("--source is at most 64 characters, none of them a control character.")
    return text


@contextmanager
def open_file(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
    else:
        with Path(file).open("rb") as stream:
            yield stream


@contextmanager
def progress(file: str) -> Iterator[Callable[[int], None] | None]:
    """A bar while the file is read and a spinner while it is merged, on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        total = None if file == "-" else Path(file).stat().st_size
        task = bar.add_task("Reading", total=total)

        def on_read(size: int) -> None:
            bar.advance(task, size)
            if size == 0:
                bar.update(task, description="Loading")

        yield on_read
