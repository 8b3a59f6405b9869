"""Our weightings beside TorchJD's own aggregators on random Gramians, in one run.

    python -m benchmarks.weightings

The same float32 Gramians of 2 to 9 tasks go to both; ours solves in float32, TorchJD's
solvers in float64 with their ridge of 1e-4 set to 1e-12 (its default moves the
solution). It runs as a worker process (this file, by BENCH_PYTHON or
`.venv-bench/bin/python`). Shown is the largest difference of w_i |g_i| over the largest
w_i |g_i|; for MGDA that of the squared length found, which is the better one of the two
where Frank-Wolfe has not ended. PCGrad for two tasks alone: more have a random order.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
RIDGE = 1e-12
NAMES = ("upgrad", "dualproj", "mgda", "cagrad")
NAMES += ("imtl_g", "nash_mtl", "fairgrad", "pcgrad")


def theirs() -> None:
    """The worker: a Gram matrix per line in, TorchJD's weights by our names out."""
    import warnings

    import torch
    from torchjd import aggregation
    from torchjd.linalg import QuadprogProjector

    warnings.simplefilter("ignore")
    exact = QuadprogProjector(norm_eps=0.0, reg_eps=RIDGE)
    table = {
        "upgrad": aggregation.UPGradWeighting(projector=exact),
        "dualproj": aggregation.DualProjWeighting(projector=exact),
        "mgda": aggregation.MGDAWeighting(epsilon=1e-12, max_iters=20_000),
        "cagrad": aggregation.CAGradWeighting(c=0.5, norm_eps=0.0),
        "imtl_g": aggregation.IMTLGWeighting(),
        "fairgrad": aggregation.FairGradWeighting(alpha=1.0),
        "pcgrad": aggregation.PCGradWeighting(),
    }

    def nash(gram: torch.Tensor) -> torch.Tensor:
        """Of rows with this Gram matrix, as NashMTL takes gradients; not clipped."""
        solver = aggregation.NashMTL(
            n_tasks=len(gram), max_norm=0.0, update_weights_every=1, optim_niter=200
        )
        return solver.weighting(torch.linalg.cholesky(gram))

    for line in sys.stdin:
        gram = torch.tensor(json.loads(line), dtype=torch.float64)
        found = {}
        for name, weigh in {**table, "nash_mtl": nash}.items():
            try:
                found[name] = weigh(gram).tolist()
            except Exception as error:  # a solver gave up
                print(f"TorchJD's {name}: {error}", file=sys.stderr)
                found[name] = None
        print(json.dumps(found), flush=True)


def main() -> None:
    """Prints a table: weighting x number of tasks."""
    import jax
    import numpy as np

    from disentangle.weightings import WEIGHTINGS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, nargs="+", default=[*range(2, 10)])
    parser.add_argument("--grams", type=int, default=10, help="per number of tasks")
    chosen = parser.parse_args()
    bench = ROOT / ".venv-bench" / "bin" / "python"
    python = os.environ.get("BENCH_PYTHON", str(bench))
    has = [python, "-c", "import torchjd"]
    if not pathlib.Path(python).exists() or subprocess.run(has, check=False).returncode:
        print(f"{python} does not have torchjd: nothing to compare with")
        return
    worker = subprocess.Popen(
        [python, __file__, "worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdin and worker.stdout
    compiled = {name: jax.jit(WEIGHTINGS[name].weights) for name in NAMES}
    print("tasks", *(f"{name:>9}" for name in NAMES))
    for n in chosen.tasks:
        rng, worst = np.random.default_rng(n), dict.fromkeys(NAMES, 0.0)
        for _ in range(chosen.grams):
            g = rng.normal(0.2, 1.0, (n, n + 2))
            gram = np.float64(np.float32(g @ g.T))
            gram = (gram + gram.T) / 2
            print(json.dumps(gram.tolist()), file=worker.stdin, flush=True)
            answers = json.loads(worker.stdout.readline())
            for name in NAMES:
                if answers[name] is None or (name == "pcgrad" and n > 2):
                    continue
                ones, key = np.ones(n, np.float32), jax.random.key(0)
                state = WEIGHTINGS[name].init(n)
                own, _ = compiled[name](
                    np.float32(gram), ones, ones > 0, state, key=key
                )
                away = apart(name, gram, np.float64(own), np.array(answers[name]))
                worst[name] = max(worst[name], away)
        shown = [f"{worst[name]:9.1e}" for name in NAMES]
        if n > 2:
            shown[-1] = f"{'-':>9}"
        print(f"{n:5}", *shown, flush=True)
    worker.stdin.close()
    worker.wait()


def apart(name: str, gram, ours, other) -> float:
    """How far two answers are apart; of MGDA, below 0 where ours is the shorter."""
    import numpy as np

    lengths = np.sqrt(np.diag(gram))
    if name == "mgda":
        return float((ours @ gram @ ours) / (other @ gram @ other) - 1)
    if name == "nash_mtl":  # theirs is of G over its norm
        other = other / np.sqrt(other @ gram @ other / len(gram))
    gap = np.abs((ours - other) * lengths).max()
    return float(gap / np.abs(other * lengths).max())


if __name__ == "__main__":
    if sys.argv[1:] == ["worker"]:
        theirs()
    else:
        main()
