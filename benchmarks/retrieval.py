"""Exact nearest rows of a gallery: ours beside NumPy, scikit-learn and faiss, one run.

    python -m benchmarks.retrieval
    python -m benchmarks.retrieval --gallery 32000 --width 160 --queries 1024

The same float32 rows go to all, from a file that each maps into its memory; every one
runs as a process of its own, so that a peak of memory is its own. Queries a second of
the best of `--rounds` after one that compiles and is not counted; the peak is that of
the process, gallery and libraries included. faiss (`IndexFlatL2`) is read from
BENCH_PYTHON or `.venv-bench/bin/python`; where that does not have it, its line is left
out. `agree` is the share of queries with the very same k rows as ours.
"""

import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
PLAIN = 256  # queries at a time in NumPy, as ours


def main() -> None:
    """Prints a line per library."""
    import numpy as np

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gallery", type=int, default=480_000)
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--queries", type=int, default=1_024)
    parser.add_argument("--k", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--names", nargs="+", default=list(SEARCHES))
    chosen = parser.parse_args()
    bench = ROOT / ".venv-bench" / "bin" / "python"
    other = os.environ.get("BENCH_PYTHON", str(bench))
    with tempfile.TemporaryDirectory() as folder:
        rng = np.random.default_rng(0)
        for name in ("gallery", "queries"):
            rows = (vars(chosen)[name], chosen.width)
            np.save(f"{folder}/{name}.npy", rng.standard_normal(rows, np.float32))
        print(
            f"{chosen.gallery:,} x {chosen.width}, {chosen.queries:,} queries, k = "
            f"{chosen.k}, {os.cpu_count()} cores"
        )
        print(f"{'':14}{'queries/s':>10}{'seconds':>9}{'peak MB':>9}{'agree':>7}")
        ours = None
        for name in chosen.names:
            python = other if name == "faiss" else sys.executable
            words = [python, __file__, name, folder, str(chosen.k), str(chosen.rounds)]
            try:
                done = subprocess.run(words, capture_output=True, text=True, check=True)
            except (OSError, subprocess.CalledProcessError) as error:
                said = str(vars(error).get("stderr") or error).strip().splitlines()
                print(f"{name:14}left out: {said[-1] if said else error}", flush=True)
                continue
            told = json.loads(done.stdout.splitlines()[-1])
            found = np.load(f"{folder}/{name}.npy")
            ours = found if ours is None else ours
            same = (np.sort(found, 1) == np.sort(ours, 1)).all(1).mean()
            rate = chosen.queries / told["seconds"]
            print(
                f"{name:14}{rate:10,.0f}{told['seconds']:9.2f}"
                f"{told['peak']:9,.0f}{same:7.3f}",
                flush=True,
            )


def _ours(gallery, queries, k):
    sys.path.insert(0, str(ROOT))
    from disentangle.retrieval.nearest import nearest

    return lambda: nearest(queries, gallery, k)[0]


def _numpy(gallery, queries, k):
    """A matrix product and a partition, some queries at a time."""
    import numpy as np

    norms = (gallery * gallery).sum(1)

    def search():
        found = []
        for start in range(0, len(queries), PLAIN):
            rows = queries[start : start + PLAIN]
            apart = norms - 2.0 * (rows @ gallery.T)
            near = np.argpartition(apart, k, axis=1)[:, :k]
            order = np.argsort(np.take_along_axis(apart, near, 1), axis=1)
            found.append(np.take_along_axis(near, order, 1))
        return np.concatenate(found)

    return search


def _sklearn(gallery, queries, k):
    from sklearn.neighbors import NearestNeighbors

    fitted = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(gallery)
    return lambda: fitted.kneighbors(queries, return_distance=False)


def _faiss(gallery, queries, k):
    import faiss
    import numpy as np

    index = faiss.IndexFlatL2(gallery.shape[1])
    index.add(np.ascontiguousarray(gallery))
    asked = np.ascontiguousarray(queries)
    return lambda: index.search(asked, k)[1]


SEARCHES = {
    "ours": _ours,
    "numpy": _numpy,
    "scikit-learn": _sklearn,
    "faiss": _faiss,
}


def one(name: str, folder: str, k: int, rounds: int) -> None:
    """The worker: searches, keeps what it found, prints seconds and peak."""
    import numpy as np

    gallery, queries = (
        np.load(f"{folder}/{part}.npy", mmap_mode="r")
        for part in ("gallery", "queries")
    )
    search = SEARCHES[name](gallery, queries, k)
    found, seconds = search(), []
    for _ in range(rounds):
        began = time.perf_counter()
        found = search()
        seconds.append(time.perf_counter() - began)
    np.save(f"{folder}/{name}.npy", found)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": min(seconds), "peak": peak}))


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in SEARCHES:
        one(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
