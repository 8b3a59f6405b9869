"""The folder in which results of a run are kept, beside the run or apart."""

from pathlib import Path

from disentangle.errors import UserError
from disentangle.training.data_spec import write_spec
from disentangle.training.run import Run
from disentangle.training.workdir import owned, settle_config


def page_folder(run: Run, source: Path, out: Path | None) -> Path:
    """The folder in which results of a run are kept.

    Args:
      run: from `load_run(source)`.
      source: its folder, or a peer's weights.
      out: for weights only; made a run's folder (config.json, data.json) if new.

    Raises:
      UserError: weights without `out`, a folder with it, another run's `out`.
    """
    check_out(source, out)
    if out is None:
        return source
    config = {name: run.config[name] for name in ("data", "method")}
    with owned(out) as folder:
        settle_config(folder, config | {"weights": str(source.absolute())})
        write_spec(folder / "data.json", run.spec)
    return folder


def check_out(source: Path, out: Path | None) -> None:
    """Raises UserError for weights without `out`, and for a folder with it."""
    weights = source.suffix == ".npz"
    if weights and out is None:
        raise UserError(f"--out=FOLDER is missing: {source} is weights, not a folder")
    if out is not None and not weights:
        raise UserError(f"--out is for weights (.npz): {source} keeps its own page")
