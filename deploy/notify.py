"""Tells people of a deploy: a Slack-compatible webhook and e-mail, both optional.

A notification that fails is said on the terminal and changes nothing.
"""

import json
import smtplib
import socket
import ssl
import threading
import urllib.request
from collections.abc import Callable
from email.message import EmailMessage
from typing import Final

from deploy.config import Config, Email
from deploy.environment import read_secret

_SECONDS: Final = 10.0


class Notifier:
    """Sends each text in the background; `finish` waits for those under way."""

    def __init__(self, config: Config, say: Callable[[str], None]) -> None:
        self._say = say
        self._email = config.email
        self._slack = config.slack_url_file
        self._threads: list[threading.Thread] = []
        # Here: a file that can't be read is said before the deploy, not after it.
        self._url = read_secret(self._slack) if self._slack else ""
        self._password = ""
        if self._email and self._email.password_file:
            self._password = read_secret(self._email.password_file)

    def tell(self, subject: str, text: str) -> None:
        """Send it wherever it is wanted."""
        subject = f"claimdrift on {socket.gethostname()}: {subject}"
        if self._url:
            self._begin("Slack", lambda: self._post(f"{subject}\n{text}".strip()))
        if email := self._email:
            self._begin("E-mail", lambda: self._mail(email, subject, text))

    def finish(self) -> None:
        for thread in self._threads:
            thread.join(_SECONDS)
        self._threads.clear()

    def _begin(self, what: str, send: Callable[[], None]) -> None:
        def attempt() -> None:
            try:
                send()
            except Exception as error:
                # Not its text: it might hold the URL.
                self._say(f"notify    {what} couldn't be sent ({type(error).__name__})")

        thread = threading.Thread(target=attempt, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _post(self, text: str) -> None:
        request = urllib.request.Request(  # noqa: S310 (the operator's own URL)
            self._url,
            json.dumps({"text": text}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=_SECONDS):  # noqa: S310
            pass

    def _mail(self, email: Email, subject: str, text: str) -> None:
        message = EmailMessage()
        message["Subject"], message["From"] = subject, email.sender
        message["To"] = ", ".join(email.to)
        message.set_content(text or subject)
        with smtplib.SMTP(email.host, email.port, timeout=_SECONDS) as server:
            if email.starttls:
                server.starttls(context=ssl.create_default_context())
            if email.user:
                server.login(email.user, self._password)
            server.send_message(message)
