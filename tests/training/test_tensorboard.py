"""What TensorBoard reads back is what was written, a run a member."""

import numpy as np

from disentangle.training.writers import TensorBoardWriter


def test_scalars_of_every_member_come_back(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    writer = TensorBoardWriter(tmp_path)
    for step in (10, 20):
        rows = {
            f"seed={seed}": {"loss": np.float32(seed + step), "kl": np.zeros(3)}
            for seed in (0, 1)
        }
        writer.write_scalars(step, "train", rows)
    writer.flush()
    writer.close()
    for seed in (0, 1):
        found = EventAccumulator(str(tmp_path / f"seed={seed}"))
        found.Reload()
        assert found.Tags()["tensors"] == ["train/loss"]  # vectors stay in the jsonl
        events = found.Tensors("train/loss")
        values = [(e.step, float(make_ndarray(e.tensor_proto))) for e in events]
        assert values == [(10, seed + 10.0), (20, seed + 20.0)]
