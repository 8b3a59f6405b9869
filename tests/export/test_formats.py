"""Every format, run by the program it is for: codes and images to 1e-5."""

import importlib.util
import json
from dataclasses import replace

import numpy as np
import pytest
from export_models import expected, images_for, model
from stored import arrays

import disentangle as dt
from disentangle.errors import UserError
from disentangle.export import FORMATS, export_run, folder_of, read_model
from disentangle.export.facts import config_alone

SHAPE = (32, 16, 3)
CASES = [
    ("beta_vae", {}),
    pytest.param("joint_vae", {}, marks=pytest.mark.slow),
    pytest.param("qlae", {"encoder": "hsu", "decoder": "hsu"}, marks=pytest.mark.slow),
    pytest.param("supervised", {"bottleneck": 3}, marks=pytest.mark.slow),
    pytest.param("conditional_vae", {"encoder": "padded"}, marks=pytest.mark.slow),
]


def case(method, fields):
    shape = (32, 32, 3) if fields.get("encoder") == "hsu" else SHAPE
    return model(method, shape, **fields)


def loaded(path, name):
    """The module in a Python file."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def by_onnx(folder, images):
    runtime = pytest.importorskip("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    found = []
    for part, given in (("encoder", "images"), ("decoder", "codes")):
        if (folder / f"{part}.onnx").exists():
            session = runtime.InferenceSession(folder / f"{part}.onnx", options)
            (images,) = session.run(None, {given: images})
            found.append(images)
    return found


def by_torch(folder, images):
    torch = pytest.importorskip("torch")
    module = loaded(folder / "model.py", "exported_model")
    found = []
    with torch.no_grad():
        for part in ("Encoder", "Decoder"):
            if hasattr(module, part):
                network = getattr(module, part, None)()
                images = network(torch.from_numpy(np.array(images))).numpy()
                found.append(images)
    return found


def by_jax(folder, images):
    import jax

    found = []
    for part in ("encoder", "decoder"):
        path = folder / f"{part}.stablehlo"
        if path.exists():
            program = jax.export.deserialize(bytearray(path.read_bytes()))
            assert program.platforms == ("cpu", "cuda", "tpu")
            images = np.asarray(program.call(images))
            found.append(images)
    return found


def by_ours(folder, images):
    run = read_model(folder / "model.safetensors")
    codes = run.encode(images)
    return [codes[0], *(run.decode(codes)[:1] if run.method.decode else ())]


READERS = {
    "safetensors": (by_ours, "safetensors"),
    "stablehlo": (by_jax, "flatbuffers"),
    "onnx": (by_onnx, "onnx"),
    "torch": (by_torch, "torch"),
}


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("method", "fields"), CASES)
def test_a_format_gives_the_codes_of_the_model(method, fields, format, tmp_path):
    read, library = READERS[format]
    pytest.importorskip(library)
    run = case(method, fields)
    written = export_run(run, tmp_path, format)
    assert all(path.parent == tmp_path and path.stat().st_size for path in written)
    for count in (5, 1):  # any batch
        images = images_for(run, count)
        codes, decoded = expected(run, 0, images)
        found = read(tmp_path, images)
        np.testing.assert_allclose(found[0], codes, atol=1e-5, rtol=0)
        assert len(found) == 1 + (decoded is not None)
        if decoded is not None:
            np.testing.assert_allclose(found[1], decoded, atol=1e-5, rtol=0)


@pytest.mark.slow
def test_each_model_of_a_sweep_has_a_folder(tmp_path):
    run = replace(model("vae", (16, 16, 1), seeds=3), alive=np.array([1, 0, 1], bool))
    written = export_run(run, tmp_path / "a [b]", "torch")
    names = {path.relative_to(tmp_path).as_posix() for path in written}
    files = ("model.py", "model.npz")
    assert names == {f"a [b]/seed={seed}/{file}" for seed in (0, 2) for file in files}
    (source, _) = export_run(run, tmp_path / "one", "torch", "seed=2")
    assert source == tmp_path / "one" / "model.py"
    assert "seed=2, step 7" in source.read_text().splitlines()[0]
    both = [arrays(tmp_path / p / "model.npz") for p in ("a [b]/seed=2", "one")]
    assert all(np.array_equal(both[0][name], both[1][name]) for name in both[0])
    assert set(both[0]) == set(both[1])
    with pytest.raises(UserError, match="'seed=1' diverged"):
        export_run(run, tmp_path / "two", "torch", "1")
    with pytest.raises(UserError, match=r"unknown model 'seed=3'\. Did you mean"):
        export_run(run, tmp_path / "two", "torch", "seed=3")
    with pytest.raises(UserError, match=r"unknown format 'onxx'\. Did you mean 'onnx'"):
        export_run(run, tmp_path / "two", "onxx")
    long = replace(run.population[0], label="weights=" + "+".join("1" * 60))
    assert folder_of(replace(run, population=(long,)), 0) == long.id


@pytest.mark.slow
def test_what_was_written_before_stays_until_the_new_is_whole(tmp_path, monkeypatch):
    run = model("vae", (16, 16, 1))
    (path, _) = export_run(run, tmp_path, "torch")
    before = path.read_text()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(UserError, match="No space left"):
        export_run(replace(run, step=8), tmp_path, "torch")
    assert path.read_text() == before
    assert {file.name for file in tmp_path.iterdir()} == {"model.py", "model.npz"}


@pytest.mark.slow
def test_a_file_of_weights_is_a_run_of_one(tmp_path):
    pytest.importorskip("safetensors")
    from safetensors import safe_open

    run = model("beta_vae", (16, 16, 1), seeds=2)
    (path,) = export_run(run, tmp_path, "safetensors", 1)
    found = dt.load_model(path)
    assert found.population[0].id == run.population[1].id
    assert found.config == config_alone(run, 1) and found.step == 7
    assert found.spec == run.spec and found.members == ("seed=1",)
    images = images_for(run)
    np.testing.assert_array_equal(found.encode(images)[0], run.encode(images)[1])
    np.testing.assert_array_equal(found.sample(3)[0], run.sample(3)[1])
    with safe_open(path, framework="numpy") as held:
        assert set(held.metadata()) == {"disentangle"}  # one alone
        kernel = held.get_tensor("encoder.Conv_0.kernel")
    np.testing.assert_array_equal(kernel, run.params["encoder"]["Conv_0"]["kernel"][1])
    (again,) = export_run(run, tmp_path / "again", "safetensors", 1)
    assert again.read_bytes() == path.read_bytes()


def test_a_damaged_file_of_weights_is_named(tmp_path):
    numpy = pytest.importorskip("safetensors.numpy")
    run = model("vae", (16, 16, 1))
    (path,) = export_run(run, tmp_path, "safetensors")
    data = bytearray(path.read_bytes())
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    facts = json.loads(header["__metadata__"]["disentangle"])
    arrays = numpy.load(bytes(data))
    texts = {
        "is damaged": bytes(data[:-1]) + bytes([data[-1] ^ 1]),
        "not a safetensors file": bytes(data[: size // 2]),
        "it has no 'disentangle'": numpy.save(arrays),
        "is not what it should be": numpy.save(arrays, {"disentangle": "{}"}),
        "unknown method 'vea'": numpy.save(
            arrays,
            {
                "disentangle": json.dumps(
                    facts | {"config": facts["config"] | {"method": {"name": "vea"}}}
                )
            },
        ),
    }
    for says, text in texts.items():
        path.write_bytes(text)
        with pytest.raises(UserError, match=says):
            read_model(path)
    with pytest.raises(UserError, match="there is no file"):
        read_model(tmp_path / "none.safetensors")
