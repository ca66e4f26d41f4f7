"""The command line: names the commands and starts them.

Exit codes, the same for every command: 0 done; 1 failed; 2 called wrongly; 5 some speakers did not become
complete, or some recordings won't do; 9 nothing to do; 69 something that is needed is not there; 78 settings that can't
be used.
"""

import typer

from voxroll.commands import (
    audit,
    callbacks,
    check,
    configuration,
    credentials,
    decide,
    demo,
    doctor,
    enroll,
    erase,
    model,
    rooms,
    status,
    up,
    why,
)
from voxroll.show import told

_EPILOG = (
    "Exit codes: 0 done; 1 failed; 2 called wrongly; 5 some speakers did not become complete, or some recordings won't "
    "do; 9 nothing to do; 69 something needed is not there; 78 settings that can't be used."
)
_ROOM = {"allow_extra_args": True, "ignore_unknown_options": True}

app = typer.Typer(
    help="Enrolls speakers: finds the good sample in each recording, submits it, keeps one true record per speaker.",
    epilog=_EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
)
_callbacks = typer.Typer(help="What came to webhookUrl.", no_args_is_help=True, epilog=_EPILOG)
_models = typer.Typer(help="The models that voices are measured with.", no_args_is_help=True, epilog=_EPILOG)

_RUN, _WORK, _LOOK = "Run", "Enroll", "Look"
app.command(rich_help_panel=_RUN)(told(up.up))
for _room in (rooms.engine, rooms.webhook, rooms.worker):
    app.command(rich_help_panel=_RUN, context_settings=_ROOM)(told(_room))
app.command(rich_help_panel=_RUN)(told(demo.demo))
app.command(rich_help_panel=_WORK)(told(check.check))
app.command(rich_help_panel=_WORK)(told(enroll.enroll))
app.command(rich_help_panel=_WORK)(told(status.status))
app.command(rich_help_panel=_WORK)(told(why.why))
for _decision in (decide.accept, decide.reject):
    app.command(rich_help_panel=_WORK)(told(_decision))
app.command(rich_help_panel=_WORK)(told(erase.erase))
app.command(rich_help_panel=_LOOK)(told(audit.audit))
_callbacks.command("list")(told(callbacks.list_))
for _look in (callbacks.show, callbacks.replay):
    _callbacks.command()(told(_look))
app.add_typer(_callbacks, name="callbacks", rich_help_panel=_LOOK)
app.command(rich_help_panel=_LOOK)(told(doctor.doctor))
app.command("config", rich_help_panel=_LOOK)(told(configuration.config))
app.command("credentials", rich_help_panel=_LOOK)(told(credentials.credentials_))
_models.command("fetch")(told(model.fetch))
app.add_typer(_models, name="model", rich_help_panel=_LOOK)


def main() -> None:
    """Run the command line."""
    app(prog_name="voxroll")
