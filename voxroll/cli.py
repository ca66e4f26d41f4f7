"""The command line: names the commands and starts them.

Exit codes, the same for every command: 0 done; 1 failed; 2 called wrongly; 5 some speakers did not become complete, or
some recordings won't do, and a retry may help; 7 some did not, and no retry helps, or a batch was cancelled; 9 nothing
to do; 10 the time or the budget of a batch is over, and rows are left; 69 something that is needed is not there; 78
settings that can't be used.
"""

import typer

from voxroll.commands import (
    audit,
    batches,
    callbacks,
    check,
    configuration,
    credentials,
    decide,
    demo,
    doctor,
    endpoints,
    enroll,
    erase,
    events,
    keys,
    listen,
    many,
    migrate,
    model,
    plan,
    review,
    rollback,
    rooms,
    run,
    status,
    up,
    why,
)
from voxroll.show import told

_EPILOG = (
    "Exit codes: 0 done; 1 failed; 2 called wrongly; 5 some speakers did not become complete, or some recordings won't "
    "do, and a retry may help; 7 some did not, and no retry helps, or a batch was cancelled; 9 nothing to do; 10 time "
    "or budget of a batch is over, and rows are left; 69 something needed is not there; 78 settings that can't be used."
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
_batches = typer.Typer(help="Manifests that were handed in.", no_args_is_help=True, epilog=_EPILOG)
_callbacks = typer.Typer(help="What came to webhookUrl.", no_args_is_help=True, epilog=_EPILOG)
_events = typer.Typer(help="What happened, as it is told to others.", no_args_is_help=True, epilog=_EPILOG)
_endpoints = typer.Typer(help="Where events are posted to.", no_args_is_help=True, epilog=_EPILOG)
_keys = typer.Typer(help="Who may use the front door.", no_args_is_help=True, epilog=_EPILOG)
_models = typer.Typer(help="The models that voices are measured with.", no_args_is_help=True, epilog=_EPILOG)

_RUN, _WORK, _LOOK = "Run", "Enroll", "Look"
app.command(rich_help_panel=_RUN)(told(up.up))
for _room in (rooms.engine, rooms.webhook, rooms.worker):
    app.command(rich_help_panel=_RUN, context_settings=_ROOM)(told(_room))
app.command(rich_help_panel=_RUN)(told(demo.demo))
app.command(rich_help_panel=_WORK)(told(check.check))
app.command(rich_help_panel=_WORK)(told(enroll.enroll))
for _many in (
    plan.plan,
    review.review,
    run.run,
    rollback.rollback,
    many.retry,
    many.roster,
    many.export,
    migrate.migrate,
):
    app.command(rich_help_panel=_WORK)(told(_many))
_batches.command("list")(told(batches.list_))
for _batch in (batches.show, batches.pause, batches.resume, batches.cancel, batches.forget):
    _batches.command()(told(_batch))
_batches.command()(told(batches.report))
app.add_typer(_batches, name="batches", rich_help_panel=_WORK)
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
_events.command("list")(told(events.list_))
for _event in (events.show, events.replay, events.verify):
    _events.command()(told(_event))
app.add_typer(_events, name="events", rich_help_panel=_LOOK)
for _try in (listen.listen, listen.trigger):
    app.command(rich_help_panel=_LOOK)(told(_try))
_endpoints.command("list")(told(endpoints.list_))
for _endpoint in (endpoints.add, endpoints.rotate, endpoints.enable, endpoints.disable, endpoints.remove):
    _endpoints.command()(told(_endpoint))
app.add_typer(_endpoints, name="endpoints", rich_help_panel=_LOOK)
_keys.command("list")(told(keys.list_))
for _key in (keys.create, keys.revoke):
    _keys.command()(told(_key))
app.add_typer(_keys, name="keys", rich_help_panel=_RUN)
app.command(rich_help_panel=_LOOK)(told(doctor.doctor))
app.command("config", rich_help_panel=_LOOK)(told(configuration.config))
app.command("credentials", rich_help_panel=_LOOK)(told(credentials.credentials_))
_models.command("fetch")(told(model.fetch))
app.add_typer(_models, name="model", rich_help_panel=_LOOK)
