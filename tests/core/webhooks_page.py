"""docs/webhooks.md, taken apart."""

import re

from django.conf import settings

PAGE = (settings.BASE_DIR / "docs/webhooks.md").read_text(encoding="utf-8")


def block(language: str, holding: str) -> str:
    """The example in a language that holds a text."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    [found] = [text for text in blocks if holding in text]
    return str(found)


def table(title: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    section = PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ")[0]
    lines = section.split("|---|", 1)[1].split("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
