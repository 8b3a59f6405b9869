"""`disentangle export` of a run: its doors, and the mistakes that it names."""

import numpy as np
import pytest
from export_models import images_for, model
from stored import arrays

from disentangle.__main__ import main
from disentangle.training.config import default_config
from disentangle.training.run import fit, load_run


@pytest.fixture(scope="module")
def workdir(toy, tmp_path_factory):
    """Two trained models, in a folder whose name a shell would read as a pattern."""
    folder = tmp_path_factory.mktemp("runs") / "a [b]*"
    config = default_config("toy", "beta_vae").to_dict()
    config["method"] |= {"encoder": "dense", "decoder": "dense"}
    config |= {"steps": 2, "seeds": 2, "batch_size": 4, "checkpoint_every": 2}
    fit(config | {"log_every": 2}, toy, workdir=folder)
    return folder


def said(capsys, *words, code=0):
    assert main(["export", *map(str, words)]) == code
    captured = capsys.readouterr()
    return captured.err if code else captured.out


@pytest.mark.slow
def test_the_models_of_a_workdir_are_written_beside_it(workdir, capsys):
    lines = said(capsys, workdir, "--format=torch").splitlines()
    folders = [workdir / "export" / f"seed={seed}" for seed in (0, 1)]
    files = [f / name for f in folders for name in ("model.py", "model.npz")]
    assert lines == [str(path) for path in files]
    held = arrays(workdir / "export" / "seed=1" / "model.npz")
    run = load_run(workdir)
    kernel = run.params["encoder"]["Dense_0"]["kernel"][1]
    np.testing.assert_array_equal(held["encoder.Dense_0_weight"], np.asarray(kernel).T)


def test_one_model_alone(workdir, capsys, tmp_path):
    words = (workdir, "--format=torch", "--member=seed=1", f"--out={tmp_path / 'o'}")
    files = [tmp_path / "o" / name for name in ("model.py", "model.npz")]
    assert said(capsys, *words).splitlines() == [str(path) for path in files]


@pytest.mark.slow
def test_a_file_of_weights_encodes_as_the_workdir(workdir, capsys, tmp_path):
    pytest.importorskip("safetensors")
    import disentangle as dt

    (path,) = said(
        capsys, workdir, "--format=safetensors", "--member=1", f"--out={tmp_path}"
    ).splitlines()
    run, images = load_run(workdir), images_for(load_run(workdir))
    np.testing.assert_array_equal(
        dt.load_model(path).encode(images)[0], run.encode(images)[1]
    )


def test_a_method_without_a_decoder_says_so(monkeypatch, capsys, tmp_path):
    run = model("supervised", (16, 16, 1), encoder="dense")
    monkeypatch.setattr("disentangle.training.run.load_run", lambda path: run)
    lines = said(capsys, tmp_path, "--format=torch").splitlines()
    assert lines[-1] == "supervised has no decoder: the encoder alone"
    source = (tmp_path / "export" / "model.py").read_text()
    assert "class Encoder(Part)" in source and "class Decoder" not in source


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("{}", "--format=onxx"), "unknown format 'onxx'. Did you mean 'onnx'"),
        (("{}",), "--format=npz is of a data set: the models of a run are written as"),
        (("{}", "--format=torch", "--member=seed=2"), "Did you mean 'seed=1'"),
        (("{}", "--format=torch", "--member=7"), "no model 7: there are 0 to 1"),
        (("{}", "--format=torch", "--out={}/config.json"), "is a file, not a folder"),
        (("{}/none", "--format=torch"), "is not a folder"),
        (("{}/config.json", "--format=torch"), "is not a folder"),
        (("{}/checkpoints", "--format=torch"), "there is no file"),
        (("dsprites", "--format=torch"), "dsprites is a data set, --format=torch is"),
        (("dsprites", "--member=0"), "--member is of a run"),
        (("dsprits", "--format=npz"), "Did you mean 'dsprites'"),
    ],
)
def test_mistakes_are_one_sentence(workdir, words, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = said(capsys, *(word.format(workdir) for word in words), code=2)
    assert says in line and line.count("\n") == 1
    assert not list(tmp_path.iterdir())
