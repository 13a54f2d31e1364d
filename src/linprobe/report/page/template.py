"""What all pages are made with: our own files, a policy that lets nothing else run, and the template engine."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from linprobe.errors import require

__all__ = ["asset", "fill", "safe"]

ASSETS = Path(__file__).parent / "assets"


def asset(name: str) -> str:
    """The text of one of our files."""
    return (ASSETS / name).read_text(encoding="utf-8")


def fill(template: str, styles: Sequence[str], first: str, scripts: Sequence[str], **said: Any) -> str:
    """A template with everything in its place; first: the script that runs before anything is painted."""
    jinja2 = require("jinja2", "plots")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(
        policy=_policy([first, *scripts]),
        styles=[safe(style) for style in styles],
        first=safe(first),
        scripts=[safe(script) for script in scripts],
        **said,
    )


def safe(text: str) -> Any:
    """Text that is placed as it is: our own files, and JSON without markup."""
    return require("jinja2", "plots").utils.markupsafe.Markup(text)


def _policy(scripts: Sequence[str]) -> str:
    """What the page may do: run these scripts, look like this, show pictures that it holds itself; nothing else."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(_hash, scripts))}",
            # plotly styles its figures by attributes and by rules that it adds.
            "style-src 'unsafe-inline'",
            "img-src data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
