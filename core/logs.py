"""Logs that carry neither patient data nor secrets.

Exceptions quote values: psycopg2's DETAIL a row, ValueError the text that it couldn't parse. So no
exception's message is ever written, unless it is one of our own (SQLSTATE PD...), which are
constant. What is written says where to look: types, SQLSTATE, constraint, and file, line and
function of each frame, of causes and groups as well.

Messages are ours and say nothing of the kind, but what they quote may; hence `redact`. One record
is one line: a line feed in a value can't forge another.
"""

import logging
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import psycopg2

# The request that is being answered; "" outside of one.
request_id: ContextVar[str] = ContextVar("request_id", default="")

_REDACTED: Final = "[redacted]"
_PATTERNS: Final = tuple(
    (re.compile(pattern, re.DOTALL | re.IGNORECASE), replacement)
    for pattern, replacement in (
        # What PostgreSQL quotes comes last, and may hold anything.
        (r"\b(Key \(|Failing row contains|DETAIL:|CONTEXT:|parameters:).*", _REDACTED),
        (r"://[^\s@]+@", f"://{_REDACTED}@"),
        (r"(/[^\s?\"']{0,2000})\?[^\s\"']+", rf"\1?{_REDACTED}"),
        (r"cd_[A-Za-z0-9_-]{12,}", f"cd_{_REDACTED}"),
        (r"whsec_[A-Za-z0-9+/=_-]+", f"whsec_{_REDACTED}"),
        (r"\bBearer\s+[^\s\"']+", f"Bearer {_REDACTED}"),
        (r"\bBasic\s+[A-Za-z0-9+/=]{6,}", f"Basic {_REDACTED}"),
        (
            r"\b(\w{0,30}(?:password|passwd|secret|token|api[-_]?key|authorization|cookie"
            r"|sessionid))([\"']?\s{0,5}[=:]\s{0,5})(?:\"[^\"]*\"?|'[^']*'?|[^\s,;&]+)",
            rf"\1\2{_REDACTED}",
        ),
        (r"[\w.+%'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+", "[e-mail]"),
        (r"(?<!\d)\d{3}[-. ]?\d{2}[-. ]?\d{4}(?!\d)", "[number]"),
    )
)
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_OURS: Final = re.compile(r"PD\d{3}")
_SQLSTATE: Final = re.compile(r"[0-9A-Z]{5}")
_IDENTIFIER: Final = re.compile(r"\w{1,63}")
_STACK_FRAME: Final = re.compile(r'File "([^"]*)", line (\d+), in (\S+)')

_ROOT: Final = f"{Path(__file__).resolve().parent.parent}/"

# Longer texts are cut, long before a pattern becomes slow.
_LONGEST: Final = 8000
_MOST_FRAMES: Final = 30
_MOST_EXCEPTIONS: Final = 20
# Shorter than this, what an exception was told is not looked for in the message.
_SHORTEST: Final = 3


def redact(text: str) -> str:
    """Take out what looks like a secret, an address, a social security number or a row's values.

    Also makes it one line, and cuts it.
    """
    if len(text) > _LONGEST:
        # Not within a word, whose half might not look like a secret any more.
        text = re.sub(r"\S*\Z", "", text[:_LONGEST], count=1) + "[cut]"
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    text = _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def describe(error: BaseException) -> str:
    """Types, SQLSTATEs, constraints and places of an exception and what led to it.

    Nothing that it was told, but for messages of our own SQLSTATEs.
    """
    return "; ".join(_describe(error, set()))


def _describe(error: BaseException, seen: set[int]) -> Iterator[str]:
    how = ""
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        if len(seen) >= _MOST_EXCEPTIONS:
            yield "and more"
            return
        seen.add(id(current))
        yield how + _describe_one(current)
        if isinstance(current, BaseExceptionGroup):
            for number, part in enumerate(current.exceptions, 1):
                for text in _describe(part, seen):
                    yield f"part {number}: {text}"
        if current.__cause__ is not None:
            how, current = "caused by ", current.__cause__
        elif current.__suppress_context__:
            return
        else:
            how, current = "while handling ", current.__context__


def _describe_one(error: BaseException) -> str:
    text = name_of(error)
    places = list(_places(error.__traceback__))
    if len(places) > _MOST_FRAMES:
        places = ["...", *places[-_MOST_FRAMES:]]
    return f"{text} at {' > '.join(places)}" if places else text


def name_of(error: BaseException) -> str:
    """An exception's type, and what the database says of it without quoting values."""
    kind = type(error)
    name = (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )
    state, diagnosis = _diagnosis(error)
    if not _SQLSTATE.fullmatch(state):
        return name
    facts = [f"SQLSTATE {state}"]
    for attribute in ("table_name", "constraint_name"):
        value = getattr(diagnosis, attribute, None) or ""
        if _IDENTIFIER.fullmatch(value):
            facts.append(f"{attribute.removesuffix('_name')} {value}")
    if _OURS.fullmatch(state):
        facts.append(redact(getattr(diagnosis, "message_primary", None) or ""))
    return f"{name} ({', '.join(facts)})"


def _diagnosis(error: BaseException) -> tuple[str, Any]:
    """SQLSTATE and diagnosis of a driver's error; nobody else's attributes are trusted."""
    if isinstance(error, psycopg2.Error):
        return error.pgcode or "", error.diag
    # Of the worker's own connection. Importing it here would be too early: see core.driver.
    psycopg = sys.modules.get("psycopg")
    if psycopg is not None and isinstance(error, psycopg.Error):
        return error.sqlstate or "", error.diag
    return "", None


def _places(traceback: TracebackType | None) -> Iterator[str]:
    while traceback is not None:
        code = traceback.tb_frame.f_code
        yield f"{_short(code.co_filename)}:{traceback.tb_lineno} {code.co_qualname}"
        traceback = traceback.tb_next


@lru_cache(maxsize=1000)
def _short(path: str) -> str:
    """A file's path from its package, or from our root, on."""
    return path.rpartition("site-packages/")[2].removeprefix(_ROOT)


def _told(error: BaseException, seen: set[int]) -> Iterator[str]:
    """All texts that an exception, or one that led to it, might have brought into a message."""
    if id(error) in seen:
        return
    seen.add(id(error))
    yield from _texts(error)
    yield from _texts(repr_safely(error))
    yield from _texts(error.args)
    yield from _texts(list(getattr(error, "__notes__", ())))
    parts = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    for other in (error.__cause__, error.__context__, *parts):
        if other is not None:
            yield from _told(other, seen)


def _texts(value: Any, depth: int = 3) -> Iterator[str]:
    if isinstance(value, Mapping) and depth:
        for pair in value.items():
            yield from _texts(pair, depth - 1)
    elif isinstance(value, list | tuple | set | frozenset) and depth:
        for item in value:
            yield from _texts(item, depth - 1)
    else:
        try:
            text = str(value)
        except Exception:  # whatever an exception's own __str__ does
            return
        yield text
        yield repr(text)[1:-1]


def repr_safely(value: object) -> str:
    """repr(), or "" where that fails."""
    try:
        return repr(value)
    except Exception:  # whatever an exception's own __repr__ does
        return ""


def _safe_argument(value: Any, depth: int = 3) -> Any:
    """A record's argument, with exceptions replaced by their names."""
    if isinstance(value, BaseException):
        return name_of(value)
    if depth and isinstance(value, Mapping):
        return {key: _safe_argument(item, depth - 1) for key, item in value.items()}
    if depth and isinstance(value, list | tuple):
        items = [_safe_argument(item, depth - 1) for item in value]
        return items if isinstance(value, list) else tuple(items)
    return value


def route_of(request: Any) -> str:
    """The template of the URL that a request was sent to: no ids, no query.

    "unmatched" where there is none, so that made-up paths don't come into logs and metrics.
    """
    match = getattr(request, "resolver_match", None)
    return "unmatched" if match is None else _readable(match.route)


@lru_cache(maxsize=1000)
def _readable(route: str) -> str:
    from django.contrib.admindocs.views import simplify_regex  # needs Django's apps

    return str(simplify_regex(route))


class Formatter(logging.Formatter):
    """Writes a record as one line: time, level, logger, request, message, exception."""

    def format(self, record: logging.LogRecord) -> str:
        try:
            return self._format(record)
        except Exception as error:
            # logging would print the record with all its arguments.
            return f"{record.name}: a record that could not be written ({type(error).__name__})"

    def _format(self, record: logging.LogRecord) -> str:
        error = _error_of(record)
        parts = [
            f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}"
            f".{int(record.msecs):03d}Z",
            record.levelname,
            f"{record.name}:",
        ]
        if request := request_id.get():
            parts.append(f"[{request}]")
        parts.append(redact(_message(record, error)))
        if error is not None:
            parts.append("| " + redact(describe(error)))
        if record.stack_info:
            frames = _STACK_FRAME.findall(record.stack_info)[-_MOST_FRAMES:]
            places = " > ".join(f"{_short(file)}:{line} {name}" for file, line, name in frames)
            parts.append("| " + redact(f"logged at {places}"))
        return " ".join(parts)


def _error_of(record: logging.LogRecord) -> BaseException | None:
    information: Any = record.exc_info
    if isinstance(information, BaseException):
        return information
    if isinstance(information, tuple) and isinstance(information[1], BaseException):
        return information[1]
    return None


def _message(record: logging.LogRecord, error: BaseException | None) -> str:
    # Django's own records of requests name the path, or quote a header.
    if record.name.startswith(("django.request", "django.security")):
        status = getattr(record, "status_code", "")
        return f"{status} {route_of(getattr(record, 'request', None))}".strip()
    message = _formatted(record)
    if record.name == "gunicorn.error":
        # It quotes the line or the header that it could not read.
        for start in ("Invalid request", "Error handling request"):
            if message.startswith(start):
                return start
    if error is not None:
        for text in sorted(set(_told(error, set())), key=len, reverse=True):
            if len(text) >= _SHORTEST:
                message = message.replace(text, _REDACTED)
    return message


def _formatted(record: logging.LogRecord) -> str:
    arguments = record.args
    if isinstance(arguments, Mapping):
        arguments = {key: _safe_argument(value) for key, value in arguments.items()}
    elif arguments:
        arguments = tuple(_safe_argument(value) for value in arguments)
    message = str(_safe_argument(record.msg))
    try:
        return message % arguments if arguments else message
    except (TypeError, ValueError, KeyError):
        return f"{message} (with other arguments than it asks for)"


def configuration(level: str, *, access_log: bool) -> dict[str, Any]:
    """Django's LOGGING: everything to standard error, through `Formatter`."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"safe": {"()": "core.logs.Formatter"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "safe"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Instead of Django's handlers, which have formatters of their own or send e-mails.
            "django": {"handlers": []},
            # What clients did wrong is in the access log.
            "django.request": {"level": "ERROR"},
            "django.server": {"handlers": [], "level": "ERROR", "propagate": True},
            # At DEBUG it logs statements with their parameters.
            "django.db.backends": {"level": "INFO" if level == "DEBUG" else level},
            "api.access": {"level": "INFO" if access_log else "CRITICAL"},
        },
    }
