"""An OpenAPI document as one page to read: no script, nothing fetched."""

import re
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
code, pre { font: 0.875rem/1.45 ui-monospace, monospace }
details { border: 1px solid #8884; border-radius: 6px; margin: .5rem 0; padding: .5rem .8rem }
summary { cursor: pointer } summary b { display: inline-block; min-width: 5rem }
table { border-collapse: collapse; width: 100% } td { padding: .15rem .8rem .15rem 0; vertical-align: top }
pre { overflow-x: auto; background: #8881; padding: .6rem; border-radius: 6px } h2 { margin-top: 2.5rem }
"""


def page(document: dict[str, Any]) -> str:
    """The page."""
    title = f"{document['info']['title']} {document['info']['version']}"
    operations = [
        _operation(verb, path, one) for path, verbs in document["paths"].items() for verb, one in verbs.items()
    ]
    hooks = [
        f"<tr><td><code>{escape(kind)}</code></td><td>{_prose(one['post']['summary'])}</td></tr>"
        for kind, one in document["webhooks"].items()
    ]
    schemas = [_schema(name, one) for name, one in document["components"]["schemas"].items()]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style><h1>{escape(title)}</h1>'
        '<p>The same for programs: <a href="/openapi.json">openapi.json</a>. Errors are problem details (RFC 9457) '
        "with a stable <code>code</code>.</p>"
        f"<h2>Requests</h2>{''.join(operations)}<h2>Events</h2><table>{''.join(hooks)}</table>"
        f"<h2>Documents</h2>{''.join(schemas)}</html>"
    )


def _operation(verb: str, path: str, one: dict[str, Any]) -> str:
    parameters = [
        f"<tr><td><code>{escape(given['name'])}</code></td><td>{given['in']}</td><td>{_kind(given['schema'])}</td></tr>"
        for given in one["parameters"]
    ]
    bodies = [
        f"<tr><td>body</td><td><code>{escape(kind)}</code></td><td>{_kind(content['schema'])}</td></tr>"
        for kind, content in one.get("requestBody", {}).get("content", {}).items()
    ]
    answers = [
        f"<tr><td>{status}</td><td>{_prose(answer['description'])}</td><td>{_bodies(answer)}</td></tr>"
        for status, answer in one["responses"].items()
    ]
    return (
        f"<details><summary><b>{verb.upper()}</b><code>{escape(path)}</code> {_prose(one['summary'])}</summary>"
        f"<p>{_prose(one.get('description', ''))}</p><table>{''.join(parameters + bodies)}</table><hr>"
        f"<table>{''.join(answers)}</table></details>"
    )


def _prose(text: str) -> str:
    """Text with code between backticks."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _bodies(answer: dict[str, Any]) -> str:
    return ", ".join(_kind(content["schema"]) for content in answer.get("content", {}).values())


def _schema(name: str, one: dict[str, Any]) -> str:
    rows = [
        f"<tr><td><code>{escape(field)}</code>{'' if field in one.get('required', ()) else ' <i>optional</i>'}</td>"
        f"<td>{_kind(schema)}</td><td>{_prose(schema.get('description', ''))}</td></tr>"
        for field, schema in one.get("properties", {}).items()
    ]
    says = _prose(one.get("description", ""))
    return (
        f'<details id="{escape(name)}"><summary><code>{escape(name)}</code> {says}</summary>'
        f"<table>{''.join(rows)}</table></details>"
    )


def _kind(schema: dict[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(one))}</code>" for one in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    words = [schema.get("format") or schema.get("type") or "anything"]
    words += [f"{sign} {schema[name]}" for name, sign in (("minimum", "from"), ("maximum", "to")) if name in schema]
    words += [f"<code>{escape(schema['pattern'])}</code>"] if "pattern" in schema else []
    return " ".join(words)
