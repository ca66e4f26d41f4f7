"""`voxroll audit`: was every sample applied exactly once? Recomputed from records, journal and the API itself.

The worker looks (`python -m worker --audit`), with the settings of the running `voxroll up` where there is one. Nothing
is changed.
"""

from typing import Annotated, Any

import typer
from rich.markup import escape

from config.settings import load
from voxroll.commands.duration import moment
from voxroll.commands.lines import lines
from voxroll.failure import Exit
from voxroll.progress import steps
from voxroll.running import adopt
from voxroll.show import JsonOption, as_data, err, out, rows, table
from voxroll.up.child import refusal_of

_SHOWN = 50  # lines of a table; --json has them all
_HELP = {
    "applied_twice": "a sample counts twice at the API",
    "heard_more": "the API has heard what the records don't call applied",
    "missing_at_api": "the API lacks what the records call applied",
    "erased_but_enrolled": "a speaker who was erased is enrolled at the API; erase again",
    "record_behind": "the record lags behind the API; the next callback or sweep mends it",
    "callback_lost": "an accepted callback was never reconciled: `voxroll callbacks replay ID`",
    "callback_contradicts": "callback and record disagree: `voxroll callbacks show ID`",
    "attempt_unknown": "a callback answers an attempt that no record knows",
    "unknown_enrollment": "enrolled by somebody else, or its record was lost",
    "stuck": "nothing has happened for longer than the settings allow",
}


def audit(
    *,
    since: Annotated[
        str, typer.Option(help="Only speakers who changed since: `yesterday`, `09:00`, `2026-11-21T09:00`, `2h` ago.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Name every sample that was lost or applied twice, with its evidence; exit code 0 only if there is none."""
    begin = [f"--since={moment(since).isoformat()}"] if since else []
    adopt(load())
    findings: list[dict[str, Any]] = []
    summary: dict[str, Any] = {}
    with steps(quiet=as_json) as progress:
        for line in lines("--audit", *begin, failed=lambda log: refusal_of(log, "audit_failed")):
            match line.pop("type"):
                case "progress":
                    progress.total("speakers and callbacks looked at", max(line["enrollments"], line["speakers"]))
                    progress.at(line["speakers"])
                case "finding":
                    findings.append(line)
                case _:
                    summary = line
    if as_json:
        as_data({"findings": findings, **summary})
    else:
        _show(findings, summary)
    if findings:
        raise typer.Exit(int(Exit.FAILED))


def _show(findings: list[dict[str, Any]], summary: dict[str, Any]) -> None:
    if findings:
        made = table("exception", "speaker", "what", "evidence")
        out.print(rows(made, (_cells(one) for one in findings[:_SHOWN])))
        for code in dict.fromkeys(one["code"] for one in findings):
            err.print(f"[dim]{code}: {_HELP.get(code, '')}[/]")
        if len(findings) > _SHOWN:
            err.print(f"[dim]{len(findings) - _SHOWN} more; all of them with --json[/]")
    verdict = f"[red]{len(findings)} exceptions[/]" if findings else "[green]clean[/]"
    out.print(
        f"{verdict}: {summary['speakers']} speakers ({summary['settled']} settled), {summary['applied']} of "
        f"{summary['samples']} samples applied, {summary['callbacks']} callbacks, {summary['enrollments']} enrollments"
    )


def _cells(finding: dict[str, Any]) -> list[str]:
    evidence = ", ".join(f"{name} {value}" for name, value in finding["evidence"].items())
    code, who = escape(str(finding["code"])), escape(str(finding["speakerId"]))
    return [f"[red]{code}[/]", f"[bold]{who}[/]", escape(str(finding["detail"])), f"[dim]{escape(evidence)}[/]"]
