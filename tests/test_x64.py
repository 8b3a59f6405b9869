"""JAX_ENABLE_X64=1 changes no program: the same bits, from the data to the scores."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import dataclasses, json, zlib
import jax, numpy as np
import jax.numpy as jnp
import toy_program
import disentangle as dt

toy_program.register()
crc = lambda x: zlib.crc32(np.ascontiguousarray(x).tobytes())
small = {"batch_size": 8, "progress": False}
data, found = dt.load("toy"), {"x64": jnp.zeros(1).dtype == np.float64}
run = dt.train(
    "beta_vae", data, steps=12, encoder="dense", decoder="dense",
    workdir=sys.argv[2], **small,
)
found["params"] = [crc(leaf) for leaf in jax.tree.leaves(run.params)]
run = dt.load_run(sys.argv[2])
images = data.images(np.arange(20))
found["codes"] = [crc(run.encode(images)), crc(run.encode(np.asarray(images, float)))]
found["decoded"] = crc(run.decode(np.zeros((3, 10))))
found["posterior"] = [crc(part) for part in run.posterior(images)]
names = ["mig", "sap", "r2", "modularity", "factor_vae", "fairness"]
names += ["z_max_variance"]  # which encodes images of its own
table = dt.evaluate(run, names, data=data, num_train=300, num_test=100)
found["scores"] = table["value"].tolist()
dtypes = {str(leaf.dtype) for leaf in jax.tree.leaves(run.params)}
found["dtypes"] = sorted(dtypes)
# The convolutions and their own gradients: traced, not compiled.
from disentangle.training.config import default_config
from disentangle.training.loop import compile_functions
from disentangle.data.precision import float32
from disentangle.training.run import prepare

config = default_config("toy", "beta_vae").to_dict() | {"batch_size": 2}
config["data"] |= {"train_size": 64, "test_size": 8}
with float32():
    images = jnp.zeros((96, 64, 64, 1), jnp.uint8)
    wide = dataclasses.replace(data, arrays=images, shape=(64, 64, 1))
    experiment, method, split, _ = prepare(config, wide)
    compiled = compile_functions(experiment, method, split, [])
    now = jax.eval_shape(compiled.first)
    step = lambda now: compiled.chunk(now.state, now.window, jnp.int32(1))
    after = jax.eval_shape(step, now)
found["conv"] = sorted({str(leaf.dtype) for leaf in jax.tree.leaves(after)})
print(json.dumps(found))
"""


def ran(folder: Path, x64: str) -> dict:
    here = Path(__file__).parent / "training"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, str(here), str(folder)],
        env=os.environ | {"JAX_ENABLE_X64": x64},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_double_precision_elsewhere_changes_nothing_here(tmp_path):
    usual, wide = ran(tmp_path / "usual", "0"), ran(tmp_path / "wide", "1")
    assert (usual.pop("x64"), wide.pop("x64")) == (False, True)
    assert usual == wide
    assert "float64" not in (*wide["dtypes"], *wide["conv"])
