"""Request bodies: JSON that the database can hold, within limits."""

import json
from typing import IO, Any, Final, NoReturn

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from api.errors import PayloadTooLarge

MAX_DEPTH: Final = 20


class StrictJSONParser(JSONParser):
    """Refuses, as a client's mistake, what would fail later or be silently changed."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Any = None,
    ) -> dict[str, Any]:
        length = int(parser_context["request"].META.get("CONTENT_LENGTH") or 0)
        if length > settings.MAX_BODY_BYTES:
            raise PayloadTooLarge(
                f"The body has {length} bytes; {settings.MAX_BODY_BYTES} are allowed."
            )
        try:
            text = stream.read().decode()
        except UnicodeDecodeError:
            raise ParseError("The body isn't UTF-8.") from None
        try:
            data = json.loads(text, parse_constant=_refuse, object_pairs_hook=_object)
        except RecursionError:
            raise ParseError("The body is nested too deeply.") from None
        except json.JSONDecodeError as error:
            raise ParseError(
                f"The body isn't JSON: line {error.lineno}, column {error.colno}."
            ) from None
        except ValueError:
            raise ParseError("The body has a number that is too long.") from None
        _check(data, 0)
        if not isinstance(data, dict):
            raise ParseError("The body must be a JSON object.")
        return data


def _refuse(constant: str) -> NoReturn:
    raise ParseError(f"{constant} isn't JSON.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ParseError("The body has an object that names the same field twice.")
    return found


def _check(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ParseError("The body is nested too deeply.")
    match value:
        case str():
            if "\0" in value:
                raise ParseError("The body has a NUL character.")
            if any("\ud800" <= character <= "\udfff" for character in value):
                raise ParseError("The body has half of a surrogate pair.")
        case float():
            if value in (float("inf"), float("-inf")):
                raise ParseError("The body has a number that is too large.")
        case dict():
            for key, item in value.items():
                _check(key, depth)
                _check(item, depth + 1)
        case list():
            for item in value:
                _check(item, depth + 1)
