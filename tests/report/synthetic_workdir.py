"""Writes workdirs as training and the pipeline leave them, in a second, made up."""

import dataclasses
import json
from pathlib import Path

import numpy as np

from disentangle.training.members import members
from disentangle.training.roster import in_batches

FACTORS = {
    "shape": 3,
    "scale": 6,
    "orientation": 40,
    "x_position": 32,
    "y_position": 32,
}


def write_pipeline(
    folder: Path, *, tasks=tuple(FACTORS), seeds=1, size=16, rows=40, channels=1
) -> Path:
    """A pipeline folder with every file, its numbers drawn from a fixed seed."""
    rng = np.random.default_rng(7)
    folder.mkdir(parents=True, exist_ok=True)
    training = {"steps": 600, "batch_size": 64, "seed": 0, "seeds": seeds}
    supervised = {
        "method": {"name": "supervised", "tasks": [], "subspace": 4}
    } | training
    vae = {"method": {"name": "beta_vae", "beta": 4.0, "latents": 10}} | training
    data = {"name": "dsprites", "train_size": 5000, "test_size": 2000}
    dump(
        folder / "config.json",
        {
            "data": data,
            "budget": 2,
            "affinity": {
                "estimators": ["cosine", "lookahead"],
                "group_by": "lookahead",
            },
            "supervised": supervised,
            "unsupervised": vae,
        },
    )
    versions = {"python": "3.11.7", "jax": "0.10.2", "numpy": "2.4.6"}
    seconds = {"load the data": 2.1, "train one network": 61.04, "encode": 12.5}
    dump(folder / "summary.json", {"seconds": seconds, "versions": versions})
    write_affinity(folder, tasks, rng)
    dump(
        folder / "groups.json",
        {
            "groups": [list(tasks[:3]), list(tasks[2:])],
            "serves": {task: int(i >= 2) for i, task in enumerate(tasks)},
            "objective": 0.012345,
            "bound": 0.012345,
            "gap": 0.0,
            "runner_up": 0.011111,
            "margin": 0.001234,
            "sense": "max",
            "budget": 2,
            "affinity": "lookahead",
        },
    )
    write_losses(folder, tasks, seeds, rng)
    write_scores(folder, tasks, seeds, rng)
    write_panels(folder / "panels.npz", size, channels, rng)
    write_rotations(folder, rng)
    write_units(folder)
    write_retrieval(folder, rng)
    write_edits(folder, np.random.default_rng(8))
    write_plane(folder, rng)
    write_swaps(folder, np.random.default_rng(1))
    write_training(folder, supervised, vae, data, tasks, rows, rng)
    return folder


def dump(path: Path, value) -> None:
    path.write_text(json.dumps(value))


def write_affinity(folder, tasks, rng) -> None:
    n = len(tasks)
    tables = {}
    for name, scale in (("cosine", 0.3), ("lookahead", 0.004)):
        matrix = scale * rng.normal(size=(n, n)) + np.eye(n) * scale * 8
        error = (scale * rng.uniform(0.02, 0.2, (n, n))).tolist()
        tables[name] = {
            "tasks": list(tasks),
            "matrix": matrix.tolist(),
            "standard_error": error if name == "lookahead" else None,
            "samples": 60,
        }
    dump(folder / "affinity.json", tables)


def write_losses(folder, tasks, seeds, rng) -> None:
    base = rng.uniform(0.02, 0.6, len(tasks))
    networks = {
        name: (base * factor * rng.uniform(0.9, 1.1, (seeds, len(tasks)))).tolist()
        for name, factor in (
            ("single-task", 1.2),
            ("all-together", 1.1),
            ("grouped", 1),
        )
    }
    dump(folder / "losses.json", {"tasks": list(tasks), "networks": networks})


def write_scores(folder, tasks, seeds, rng) -> None:
    parts = ("disentanglement", "completeness", "informativeness_train")
    keys = [f"dci/{part}" for part in (*parts, "informativeness_test")]
    names = ("single-task", "all-together", "grouped", "beta_vae")
    table = [
        {"representation": name, "seed": seed}
        | {key: float(rng.uniform(0.2, 1)) for key in [*keys, "mig/score"]}
        for seed in range(seeds)
        for name in names
    ]
    ran = {
        "dci": {
            "definition": "Eastwood & Williams 2018 as Locatello et al. 2019",
            "estimator": "scikit-learn trees",
            "num_train": 3000,
            "num_test": 1500,
            "seed": 0,
            "codes": 10,
        },
        "mig": {"definition": "mean gap over entropy", "bins": 20, "seed": 0},
    }
    dump(folder / "scores.json", {"rows": table, "ran": ran})
    arrays = {"factors": np.asarray(list(FACTORS))}
    for name in names:
        blocks = name != "beta_vae"
        d = 4 * len(tasks) if blocks else 10
        matrix = rng.gamma(0.15, size=(d, len(FACTORS)))
        if blocks:
            for row in range(d):
                matrix[row, min(row // 4, len(FACTORS) - 1)] += rng.uniform(0.5, 4)
            codes = [f"{task} {i + 1}" for task in tasks for i in range(4)]
        else:
            codes = [f"z{i + 1}" for i in range(d)]
        arrays[name] = matrix / matrix.sum(0)
        arrays[f"{name}:codes"] = np.asarray(codes)
    np.savez(folder / "importance.npz", **arrays)
    entropy = np.log(list(FACTORS.values()))
    shares = {k: v for k, v in arrays.items() if k == "factors" or ":" in k}
    shares |= {name: rng.uniform(size=arrays[name].shape) * entropy for name in names}
    np.savez(folder / "information.npz", entropy=entropy, **shares)


def write_retrieval(folder, rng) -> None:
    """One model's answers; the pictures are in retrieval.npz."""
    tasks = {
        "edit": (("chance", "nothing", "replace", "expected"), ("exact@1", "mrr")),
        "similar": (("chance", "whole", "own"), ("random", "conflict", "map")),
        "complete": (("chance", "learned"), ("fitb easy", "recall@10")),
    }
    bounds = {"low": 0.1, "high": 0.3}
    rows = {
        task: [
            {"way": w, "attribute": "", "score": s, "value": float(rng.uniform())}
            | (bounds if w != "chance" else {})
            for w in ways
            for s in scores
        ]
        for task, (ways, scores) in tasks.items()
    }
    asking = {"split": "rand", "gallery": "tuples", "labels": 1000}
    member = {"member": "seed=0", "tasks": rows, "notes": ["no column is of scale"]}
    names = ["shape", "scale", "x_position"]
    held = {"asking": asking, "attributes": names, "members": [member]}
    dump(folder / "retrieval.json", held)
    np.savez(
        folder / "retrieval.npz",
        leak=rng.uniform(size=(3, 3)),
        map=rng.uniform(size=(4, 3)),
        captions=np.array(["shape: 0 to 1", "scale: 2 to 5"]),
        asked=rng.integers(0, 2, (2, 16, 16, 1)).astype(np.uint8),
        truth=rng.integers(0, 2, (2, 16, 16, 1)).astype(np.uint8),
        found=rng.integers(0, 2, (2, 4, 16, 16, 1)).astype(np.uint8),
        right=rng.integers(0, 2, (2, 4)).astype(bool),
    )


def write_edits(folder, rng) -> None:
    """Two ways of one model and a row known in advance; pictures in edit.npz."""
    names = ["shape", "scale", "x_position"]
    scores = ("edit", "hit", "pres", "exact", "rec", "nn", "psnr", "frechet")
    told = [
        {
            "member": member,
            "way": way,
            "rows": [
                {"way": way, "attribute": a, "score": s, "value": float(rng.uniform())}
                | ({"low": 0.1, "high": 1.1} if s != "frechet" else {})
                for a in ("", *names)
                for s in scores
            ],
            "notes": ["no column is of scale"] if member else [],
        }
        for member, way in (
            ("", "copy"),
            ("seed=0", "dimensions"),
            ("seed=0", "exchange"),
            ("seed=0", "dimensions of its own"),
        )
    ]
    ways = [one["way"] for one in told]
    images = rng.integers(0, 255, (2, 3, 2, 16, 16, 1)).astype(np.uint8)
    asked = np.concatenate([images[0, 0]] * 3 + [images[1, 0]])
    held = {
        "asking": {"requests": 2000, "split": "comp", "labels": 500},
        "attributes": names,
        "oracles": {"reader": [0.99, 1.0, 1.0], "patches": [1.0, 0.995, 1.0]},
        "supervision": "none",
        "told": told,
    }
    dump(folder / "edit.json", held)
    np.savez(
        folder / "edit.npz",
        leak_ways=np.array(ways),
        leak=rng.uniform(size=(4, 3, 3)),
        ways=np.repeat(ways, 2),
        captions=np.array(["shape: 0 to 1", "scale: 2 to 5"] * 4),
        asked=asked,
        truth=rng.integers(0, 255, asked.shape).astype(np.uint8),
        edited=rng.integers(0, 255, asked.shape).astype(np.uint8),
        right=rng.integers(0, 2, len(asked)).astype(bool),
    )


def write_units(folder) -> None:
    rows = [
        {
            "member": f"beta={beta:g},seed={seed}",
            "swept": {"beta": beta, "seed": seed},
            "active": 9 - int(beta) - seed,
        }
        for beta in (1.0, 2.0, 4.0)
        for seed in (0, 1)
    ]
    dump(folder / "units.json", {"latents": 10, "rows": rows})


def write_plane(folder, rng) -> None:
    np.savez(
        folder / "plane.npz",
        plane_codes=rng.normal(size=(20, 2)),
        plane_labels=rng.integers(0, 3, (20, 2)),
        plane_factors=np.asarray(["shape", "scale"]),
        plane_share=np.array([0.2, 0.1]),
        plane_x=np.linspace(-2, 2, 3),
        plane_y=np.linspace(-2, 2, 3),
        plane_pictures=rng.uniform(size=(3, 3, 8, 8, 1)),
    )


def write_swaps(folder, rng) -> None:
    np.savez(
        folder / "swaps.npz",
        swap_images=rng.uniform(size=(3, 8, 8, 1)),
        swap_pictures=rng.uniform(size=(3, 3, 8, 8, 1)),
        swap_part=np.asarray("shape"),
    )


def write_rotations(folder, rng) -> None:
    shared = {"probe/accuracy": 0.85, "mig/score": 0.2}
    density = {"marginals/ks": 0.008, "marginals/ks_critical": 0.0111}
    rows = [
        {"code": "a code", "angle": angle, "dci/disentanglement": 1 - angle / 50}
        | (shared | density)
        for angle in (0.0, 20.0, 45.0)
    ]
    dump(folder / "impossibility.json", {"rows": rows, "ran": {"mig": {"bins": 20}}})
    np.savez(
        folder / "impossibility.npz",
        angles=np.array([0.0, 20.0, 45.0]),
        clouds=rng.normal(size=(3, 50, 2)),
        values=rng.integers(0, 3, 50),
        factor=np.asarray("shape"),
    )


def disc(size, channels, x, y, radius) -> np.ndarray:
    row, column = np.mgrid[:size, :size] / size
    inside = (row - y) ** 2 + (column - x) ** 2 < radius**2
    colour = np.array([1.0, 0.6, 0.2])[:channels]
    return inside[..., None] * colour


def write_panels(path, size, channels, rng) -> None:
    places = rng.uniform(0.3, 0.7, (8, 2))
    images = np.stack([disc(size, channels, x, y, 0.2) for x, y in places])
    values = np.linspace(-2, 2, 7)
    moves = [(0.12, 0, 0), (0, 0.12, 0), (0, 0, 0.06)] + [(0, 0, 0)] * 7
    frames = np.stack(
        [
            [
                disc(size, channels, 0.5 + a * v, 0.5 + b * v, 0.2 + c * v)
                for v in values
            ]
            for a, b, c in moves
        ]
    )
    names = ["x_position", "y_position", "scale", *["shape"] * 7]
    shares = [0.81, 0.78, 0.52, *[0.03] * 7]
    np.savez(
        path,
        images=images.astype(np.float32),
        reconstructions=(0.85 * images + 0.05).astype(np.float32),
        traversals=frames.astype(np.float32),
        traversal_values=values,
        kl=np.array([3.2, 3.1, 1.4, 0.8, 0.4, 0.2, 0.02, 0.01, 0.005, 0.001]),
        captions=np.asarray(
            [
                f"z{(3 * i) % 10 + 1}: {name} ({share:.2f} of its entropy)"
                for i, (name, share) in enumerate(zip(names, shares, strict=True))
            ]
        ),
    )


def write_training(folder, supervised, vae, data, tasks, rows, rng) -> None:
    spec = {"name": "dsprites", "shape": [64, 64, 1], "peak": 1}
    spec["space"] = {"items": [{"name": k, "size": v} for k, v in FACTORS.items()]}
    n = len(tasks)
    seeds = range(supervised["seeds"])
    masks = [[float(i == j) for i in range(n)] for j in range(n)]
    masks += [[1.0] * 3 + [0.0] * (n - 3), [0.0] * 2 + [1.0] * (n - 2)]
    alone = members({}, 0, len(seeds))
    weighted = members({"weights": masks}, 0, len(seeds))
    rosters = {"multitask": alone, "networks": weighted, "vae": alone}
    configs = {"multitask": supervised, "networks": supervised, "vae": vae}
    for name, config in configs.items():
        run = folder / name
        run.mkdir(exist_ok=True)
        config = config | {"method": config["method"] | {"tasks": list(tasks)}}
        dump(run / "config.json", {"data": data} | config)
        dump(run / "data.json", spec)
        dump(run / "members.json", dataclasses.asdict(in_batches(rosters[name], 99)))
        shared = vae_row if name == "vae" else supervised_row
        lines = []
        for row in range(1, rows + 1):
            for member in (one.name for one in rosters[name]):
                kinds = ["train"] + ["test"] * (row % 10 == 0)
                for split in kinds:
                    head = {"step": row * 15, "split": split, "member": member}
                    lines.append(json.dumps(head | shared(row / rows, n, rng)))
        (run / "metrics.jsonl").write_text("\n".join(lines) + "\n")


def supervised_row(progress, n, rng) -> dict:
    rates = np.linspace(1, 5, n)
    losses = np.exp(-rates * progress) * rng.uniform(0.9, 1.1, n)
    return {"loss": float(losses.sum()), "task_losses": losses.tolist()}


def vae_row(progress, n, rng) -> dict:
    kl = np.linspace(3, 0, 10) * (1 - np.exp(-4 * progress)) * rng.uniform(0.9, 1.1, 10)
    reconstruction = float(40 + 400 * np.exp(-8 * progress) * rng.uniform(0.9, 1.1))
    return {
        "loss": reconstruction + 4 * float(kl.sum()),
        "reconstruction": reconstruction,
        "kl": float(kl.sum()),
        "kl_by_latent": kl.tolist(),
    }
