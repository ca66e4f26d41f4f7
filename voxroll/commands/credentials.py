"""`voxroll credentials`: what a client written for RingCentral needs to speak to the engine of this machine.

The names are those of RingCentral's own examples. It prints secrets: that is what it is for.
"""

import shlex

from config.settings import Settings, load
from voxroll.failure import CommandError, Exit
from voxroll.show import JsonOption, as_data, out
from voxroll.up import note
from voxroll.up.secrets import Secrets, credential


def credentials_(*, as_json: JsonOption = False) -> None:
    """Print address and credentials of the engine, for RingCentral's clients: `eval "$(voxroll credentials)"`."""
    settings = load()
    client_secret, token_key = _keys(settings)
    running = note.read(settings.data_dir)
    told = {
        "RC_SERVER_URL": running.engine_url if running and running.own_engine else settings.api.base_url,
        "RC_APP_CLIENT_ID": settings.api.client_id,
        "RC_APP_CLIENT_SECRET": client_secret,
        "RC_USER_JWT": credential(token_key, account=settings.account),
    }
    if as_json:
        as_data(told)
    else:
        for name, value in told.items():
            out.print(f"export {name}={shlex.quote(value)}", soft_wrap=True, highlight=False, markup=False)


def _keys(settings: Settings) -> tuple[str, str]:
    """Client secret and token key: from the environment, else those that `up` made."""
    given = settings.engine.client_secret.get_secret_value(), settings.engine.token_key.get_secret_value()
    if all(given):
        return given
    try:
        made = Secrets.read(settings.data_dir)
    except (OSError, ValueError) as error:
        message = (
            f"no secrets of an engine in {settings.data_dir}; start `voxroll up` once, or set "
            "VOXROLL_ENGINE_CLIENT_SECRET and VOXROLL_ENGINE_TOKEN_KEY as the engine has them"
        )
        raise CommandError("no_secrets", message, exit_code=Exit.UNAVAILABLE) from error
    return given[0] or made.engine_client_secret, given[1] or made.engine_token_key
