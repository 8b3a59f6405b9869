"""`Dataset` as a pytree, and `load`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle import data
from disentangle.data import dataset as module
from disentangle.data.aligned import aligned
from disentangle.errors import UserError

RENDERED = [
    pytest.param(name, marks=pytest.mark.slow if name == "fashion_sprites" else ())
    for name, recipe in sorted(data.DATASETS.items())
    if recipe.render
]


@pytest.fixture(params=RENDERED)
def loaded(request) -> data.Dataset:
    return request.getfixturevalue(request.param)


def test_what_every_data_set_promises(loaded):
    assert loaded.space == data.DATASETS[loaded.name].space
    assert len(loaded) == loaded.space.size
    images = loaded.images(np.arange(0, len(loaded), len(loaded) // 50))
    assert images.shape[1:] == loaded.shape and images.dtype == jnp.uint8
    assert int(images.max()) == loaded.max_value and int(images.min()) == 0


def test_as_jit_argument_it_compiles_once_and_is_no_constant(loaded):
    traces = []

    @jax.jit
    def total(d: data.Dataset, index: jax.Array) -> jax.Array:
        traces.append(1)
        return jnp.sum(d.images(index).astype(jnp.float32))

    index = jnp.arange(8)
    again = jax.tree.unflatten(jax.tree.structure(loaded), jax.tree.leaves(loaded))
    assert float(total(loaded, index)) == float(total(again, index)) > 0
    assert len(traces) == 1
    assert jax.tree.structure(loaded) == jax.tree.structure(again)
    constants = jax.make_jaxpr(total)(loaded, index).consts
    assert sum(np.asarray(c).nbytes for c in constants) < 10_000


def test_numpy_index_out_of_range_is_an_error(loaded):
    with pytest.raises(UserError, match="image index"):
        loaded.images([0, len(loaded)])
    last = loaded.images(len(loaded) - 1)
    assert np.array_equal(loaded.images(jnp.array(len(loaded))), last)  # clipped


def test_aligned_memory_is_taken_without_a_copy():
    table = aligned((1000, 512), np.uint8)
    table[:] = 1
    on_cpu = jax.device_put(table, jax.devices("cpu")[0])
    assert on_cpu.unsafe_buffer_pointer() == table.ctypes.data


def test_load_refuses_what_it_does_not_know(tmp_path):
    with pytest.raises(UserError, match="Did you mean 'dsprites'"):
        data.load("dsprite")
    with pytest.raises(UserError, match="Did you mean 'tfds'"):
        data.load("dsprites", source="tdfs")
    with pytest.raises(UserError, match="needs path="):
        data.load("dsprites", source="file")
    with pytest.raises(UserError, match="reads no path"):
        data.load("dsprites", source="rendered", path=tmp_path)


def test_a_data_set_without_files_says_so(monkeypatch, tmp_path, small_dsprites):
    toy = module.Recipe(small_dsprites.space, lambda cache_dir: small_dsprites)
    monkeypatch.setitem(data.DATASETS, "toy", toy)
    assert data.load("toy") is small_dsprites
    with pytest.raises(UserError, match="'toy' has no source 'file'"):
        data.load("toy", path=tmp_path / "toy.npz")
    with pytest.raises(UserError, match="'toy' has no source 'tfds'"):
        data.load("toy", source="tfds")
