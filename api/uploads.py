"""Uploads: files of claims on their way in."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from api import filters
from api.access import Need
from api.errors import PayloadTooLarge
from api.fields import StrictModelSerializer, StrictSerializer
from api.views import ListRetrieve
from core.functions import ingest_add_chunk, ingest_queue_upload, ingest_receive_upload_v2
from core.ingest import MAX_SOURCE_LENGTH, is_source
from core.models import Upload, UploadError

CHUNK_BYTES = 1 << 20
FLAGS = ("strict", "correct", "force")


@dataclass(frozen=True)
class Spooled:
    """A file that has arrived, on disk if it is large: a slow client holds no transaction open."""

    file: Any
    filename: str
    sha256: str
    size_bytes: int

    @classmethod
    def of(cls, file: Any, filename: str) -> "Spooled":
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256")
        return cls(file, filename, digest.hexdigest(), file.tell())

    def chunks(self) -> Iterator[bytes]:
        self.file.seek(0)
        while chunk := self.file.read(CHUNK_BYTES):
            yield chunk


def check_length(request: Any) -> int:
    """The body's length, if it is one that is allowed."""
    text = request.META.get("CONTENT_LENGTH") or ""
    length = int(text) if text.isdecimal() else 0
    if length > settings.MAX_UPLOAD_BYTES:
        raise PayloadTooLarge(
            f"The body has {length} bytes; {settings.MAX_UPLOAD_BYTES} are allowed."
            " Compress the file (gzip) or split it."
        )
    return length


class CsvParser(BaseParser):
    """The body is the file, gzip or not: `curl --data-binary @claims.csv`."""

    media_type = "text/csv"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None
    ) -> dict[str, Any]:
        request = parser_context["request"]
        length = check_length(request)
        file = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as the request)
        shutil.copyfileobj(stream, file, CHUNK_BYTES)
        spooled = Spooled.of(file, request.query_params.get("filename", "upload.csv"))
        if spooled.size_bytes != length:
            spooled.file.close()
            raise ParseError("The body ended early.")
        flags = {name: request.query_params.get(name, "false") for name in FLAGS}
        return {"file": spooled, "source": request.query_params.get("source", ""), **flags}


class FormParser(MultiPartParser):
    """A form with the field `file`."""

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None
    ) -> Any:
        check_length(parser_context["request"])
        parsed = super().parse(stream, media_type, parser_context)
        unknown = {*parsed.data, *parsed.files} - {"file", "source", *FLAGS}
        if unknown:
            raise ValidationError(
                dict.fromkeys(
                    unknown,
                    "There is no such field; there are file, source, strict, correct and force.",
                )
            )
        if "file" not in parsed.files:
            raise ValidationError({"file": "Send the file in this field."})
        sent: Any = parsed.files["file"]
        flags = {name: parsed.data.get(name, "false") for name in FLAGS}
        source = parsed.data.get("source", "")
        return {"file": Spooled.of(sent.file, sent.name), "source": source, **flags}


class UploadSerializer(StrictModelSerializer):
    """One file of claims and what became of its rows."""

    class Meta:
        model = Upload
        fields = (
            "id", "customer", "filename", "sha256", "size_bytes", "source", "status", "strict",
            "correct", "force", "rows_total", "rows_inserted", "rows_updated", "rows_unchanged",
            "rows_stale", "rows_rejected", "ignored_columns", "patient_columns", "error",
            "uploaded_by", "created_at", "finished_at",
        )  # fmt: skip
        read_only_fields = fields

    descriptions = {
        "filename": "The file's name.",
        "sha256": "Its SHA-256, in hexadecimal. A file that was loaded before is left alone.",
        "size_bytes": "Its size.",
        "source": "The billing system of the rows that name none themselves.",
        "status": (
            "received: waits for the worker. completed: loaded, but for the rejected rows. "
            "failed: nothing was loaded, `error` says why. repeated: it was loaded before. "
            "superseded: loaded again later, by force."
        ),
        "strict": "Whether one rejected row is enough for nothing to be loaded.",
        "correct": "Whether rows win over newer decisions and reset the first one.",
        "force": "Whether it is loaded although the same file was before.",
        "rows_total": "Rows in the file.",
        "rows_inserted": "Rows that were new.",
        "rows_updated": "Rows that changed a claim line.",
        "rows_unchanged": "Rows that said what was known.",
        "rows_stale": "Rows older than what was known.",
        "rows_rejected": "Rows that can't be right: see errors.",
        "ignored_columns": "Columns that were left out.",
        "patient_columns": "Columns that were left out because they look like a patient's.",
        "error": "Why nothing was loaded.",
        "uploaded_by": "The id of the user who sent it; null for a command.",
        "finished_at": "When the worker was done with it.",
    }
    example = {
        "id": 12,
        "customer": 1,
        "filename": "claims.csv",
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "size_bytes": 381,
        "source": "",
        "status": "completed",
        "strict": False,
        "correct": False,
        "force": False,
        "rows_total": 4,
        "rows_inserted": 3,
        "rows_updated": 0,
        "rows_unchanged": 0,
        "rows_stale": 0,
        "rows_rejected": 1,
        "ignored_columns": [],
        "patient_columns": ["Patient Name"],
        "error": "",
        "uploaded_by": 4,
        "created_at": "2026-11-24T09:30:00Z",
        "finished_at": "2026-11-24T09:30:02Z",
    }


class UploadFormSerializer(StrictSerializer):
    """A file of claims."""

    file = serializers.FileField()
    strict = serializers.BooleanField(default=False)
    correct = serializers.BooleanField(default=False)
    force = serializers.BooleanField(default=False)
    # Its class takes it out again, before it could hide Field.source.
    source = serializers.CharField(  # type: ignore[assignment]
        default="", allow_blank=True, max_length=MAX_SOURCE_LENGTH
    )

    descriptions = {
        "file": "The CSV file, gzip or not.",
        "strict": "Load nothing if one row is rejected.",
        "correct": "Rows win over newer decisions and reset the first one.",
        "force": "Load it although the same file was loaded before.",
        "source": "The billing system that numbered the claims, for rows that name none.",
    }
    example = {
        "file": "(the bytes of the file)",
        "strict": False,
        "correct": False,
        "force": False,
        "source": "",
    }


class UploadErrorSerializer(StrictModelSerializer):
    """Why a row was rejected. The value isn't shown: it may be a patient's."""

    class Meta:
        model = UploadError
        fields = ("id", "line", "column", "message")
        read_only_fields = fields

    descriptions = {
        "line": "The line of the file that the row begins in.",
        "column": "The column to blame; empty where it is none in particular.",
        "message": "What is wrong.",
    }
    example = {
        "id": 31,
        "line": 5,
        "column": "decided_date",
        "message": "is before submitted_date",
    }


class UploadFilterSet(filters.FilterSet):
    status = filters.ChoiceFilter(choices=Upload.Status.choices, label="With this status.")
    status__in = filters.WordListFilter(
        field_name="status", choices=Upload.Status.choices, label="With any of these statuses."
    )
    sha256 = filters.TextFilter(label="Of the file with this SHA-256.")
    created_at_after = filters.TimeFilter(
        field_name="created_at", lookup_expr="gte", label="Received at this time or later."
    )
    created_at_before = filters.TimeFilter(
        field_name="created_at", lookup_expr="lte", label="Received at this time or earlier."
    )


class UploadErrorFilterSet(filters.FilterSet):
    column = filters.TextFilter(label="In this column.")
    line_min = filters.WholeFilter(field_name="line", lookup_expr="gte", label="From this line on.")
    line_max = filters.WholeFilter(field_name="line", lookup_expr="lte", label="Up to this line.")


class UploadViewSet(ListRetrieve):
    """Files of claims: sent here, loaded by the worker, to be polled until they are."""

    queryset = Upload.objects.all()
    serializer_class = UploadSerializer
    filterset_class = UploadFilterSet
    ordering_fields = ("id", "created_at")
    search_fields = ("filename__icontains",)
    search_describes = "the file's name holds this text"
    needs = {"create": Need.MEMBER}
    list_actions = frozenset({"errors"})
    max_body_bytes = settings.MAX_UPLOAD_BYTES

    def get_parsers(self) -> list[BaseParser]:
        return [FormParser(), CsvParser()]

    def finalize_response(self, *args: Any, **kwargs: Any) -> Any:
        if hasattr(self, "sent"):
            self.sent.file.close()
        return super().finalize_response(*args, **kwargs)

    def parameters(self) -> set[str]:
        if self.action == "create":
            return {"filename", "source", *FLAGS}
        return super().parameters()

    def prepare(self, request: Request) -> None:
        if self.action == "create":
            data: dict[str, Any] = request.data  # type: ignore[assignment]
            # Of an empty body no parser is asked.
            if "file" not in data:
                raise ParseError("The body is empty.")
            self.sent: Spooled = data["file"]
            self.flags = {name: _flag(name, str(data[name])) for name in FLAGS}
            if not 0 < len(self.sent.filename) <= 255 or "\0" in self.sent.filename:
                raise ValidationError({"filename": "Give a name of 1 to 255 characters."})
            self.source = str(data["source"]).strip()
            if not is_source(self.source):
                raise ValidationError(
                    {"source": "Give a name of at most 64 characters, without control characters."}
                )

    @extend_schema(
        summary="Send a file of claims",
        description=(
            "Sends a CSV file, gzip or not, as a form with the field `file` or as the whole body "
            "(`text/csv`). It is kept until the worker has loaded it: poll "
            "the upload that `Location` names until its status isn't `received` any more. With "
            "the whole body, flags, source and file name are query parameters."
        ),
        request={
            "multipart/form-data": UploadFormSerializer,
            "text/csv": bytes,
        },
        responses={202: UploadSerializer},
    )
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        customer_id = self.one_customer_id()
        upload_id = ingest_receive_upload_v2(
            customer_id=customer_id,
            filename=self.sent.filename,
            sha256=self.sent.sha256,
            size_bytes=self.sent.size_bytes,
            source=self.source,
            **self.flags,
        )
        for number, chunk in enumerate(self.sent.chunks()):
            ingest_add_chunk(
                customer_id=customer_id, upload_id=upload_id, number=number, content=chunk
            )
        ingest_queue_upload(customer_id=customer_id, upload_id=upload_id)
        return self.created(upload_id, status.HTTP_202_ACCEPTED)

    @extend_schema(
        summary="List the rows that were rejected",
        description="Which rows of the file can't be right, and why.",
        responses={200: UploadErrorSerializer(many=True)},
        operation_id="uploads_errors_list",
    )
    @action(
        detail=True,
        methods=["get"],
        filterset_class=UploadErrorFilterSet,
        ordering_fields=("line", "id"),
        default_ordering="line",
        search_fields=("message__icontains",),
        search_describes="the message holds this text",
    )
    def errors(self, request: Request, pk: str) -> Response:
        upload = self.get_object()
        queryset = self.own(UploadError.objects.all()).filter(upload_id=upload.pk)
        return self.page(queryset, UploadErrorSerializer)


def _flag(name: str, text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValidationError({name: "Give true or false."})
    return text == "true"
