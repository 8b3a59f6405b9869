"""Groups chosen by a few trained ones: planted losses, other images, kills, changes."""

import itertools
import json
import shutil

import jax
import numpy as np
import pytest

import disentangle as dt
from disentangle.affinity import FROM_GROUPS, Affinity, GroupTable
from disentangle.data import DATASETS
from disentangle.data.dataset import Recipe
from disentangle.data.samplers import split_data, take
from disentangle.errors import UserError
from disentangle.oracle import TaskTable
from disentangle.oracle.train import every_group
from disentangle.report.page import write_report
from disentangle.report.text import result_tables
from disentangle.study import few_groups, pipeline
from disentangle.study.affinity import save_affinities
from disentangle.study.groups import Groups, choose_groups
from disentangle.study.pipeline import check, default_pipeline, run_pipeline
from disentangle.study.stages import Stages
from disentangle.study.truth import Truth
from disentangle.training.run import load_run

TASKS = ("a", "b", "c", "d")
TOY = ["shape", "size", "turn", "x"]


@pytest.fixture(scope="module", autouse=True)
def registered(toy):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DATASETS, "toy", Recipe(toy.space, lambda cache_dir: toy))
        yield


def job(group_by="kernel", **changes):
    config = default_pipeline("toy").to_dict()
    config["data"] |= {"train_size": 40, "test_size": 24}
    config["affinity"] |= {"every": 3, "group_by": group_by}
    small = {"steps": 9, "batch_size": 8, "eval_every": 9, "log_every": 9}
    for part in ("supervised", "unsupervised"):
        config[part] |= small
        config[part]["optimizer"]["learning_rate"] = 3e-3
    config["supervised"] |= {"seeds": 2}
    config["supervised"]["method"] |= {"encoder": "pooled", "bottleneck": 2}
    config["unsupervised"]["method"] |= {"encoder": "dense", "decoder": "dense"}
    config["score"] |= {"metrics": ("mig",), "num_train": 90, "num_test": 30}
    return config | changes


def run(folder, *words, **changes):
    quiet = {"progress": False, "log": lambda line: None}
    return run_pipeline(job(*words, **changes), folder, **quiet)


def read(folder, name):
    return json.loads((folder / name).read_text())


def planted(effect, tasks=TASKS, seeds=3, noise=0.0):
    """L_t(S) = 1 + the sum of effect[i, t] over the others i of S, as a table."""
    groups = every_group(len(tasks))
    loss = 1 + groups @ (effect * (1 - np.eye(len(tasks))))
    loss = np.where(groups, loss, np.nan)
    rng = np.random.default_rng(0)
    drawn = loss + noise * rng.standard_normal((seeds, *loss.shape))
    return TaskTable(tasks, groups, tuple(range(seeds)), drawn)


def designed(table):
    """What a job trains of it: each task alone, all pairs, all together."""
    size = table.groups.sum(axis=1)
    rows = (size <= 2) | (size == len(table.tasks))
    return TaskTable(table.tasks, table.groups[rows], table.seeds, table.loss[:, rows])


def best(table):
    """The two groups of the least mean loss, by trying all, and that loss."""
    mean, found = table.loss.mean(axis=0), {}
    for i, j in itertools.combinations_with_replacement(range(len(mean)), 2):
        if (table.groups[i] | table.groups[j]).all():
            names = tuple(sorted({table.names[i], table.names[j]}))
            found[names] = np.nanmin(mean[[i, j]], axis=0).mean()
    names = min(found, key=found.get)
    return [name.split("+") for name in names], found[names]


TWINS = np.full((4, 4), 0.3)
TWINS[:2, :2] = TWINS[2:, 2:] = -0.4  # a helps b, c helps d, and all else hurts


def predicted_loss(folder, found):
    """The mean over tasks of predicted.json in the group that serves each."""
    scores = {
        tuple(g["members"]): g["scores"]
        for g in read(folder, "predicted.json")["groups"]
    }
    served = [scores[tuple(found.groups[g])][t] for t, g in found.serves.items()]
    return np.mean(served)


def test_pairs_tell_the_best_groups_where_the_lookahead_does_not(tmp_path):
    """Steps that help at once, a and c, b and d, are not those that help in the end."""
    table, config = planted(TWINS, noise=0.01), job(budget=2)
    designed(table).save(tmp_path / few_groups.VALIDATION)
    at_once = np.full((4, 4), -0.1)
    at_once[[0, 2, 1, 3], [2, 0, 3, 1]] = 0.2
    measured = Affinity(at_once, TASKS, "lookahead", np.full((4, 4), 0.01), 9)
    save_affinities(tmp_path, {"lookahead": measured})
    groups, loss = best(table)
    assert groups == [["a", "b"], ["c", "d"]]
    for how in FROM_GROUPS:
        config["affinity"]["group_by"] = how
        found = choose_groups(config, Stages(tmp_path))
        assert found.groups == groups, how
        assert (found.affinity, found.trained, found.sense) == (how, 11, "min")
        assert found.objective == pytest.approx(predicted_loss(tmp_path, found))
        if how == "pairs_sum":
            assert found.objective == pytest.approx(loss, abs=0.02)
        assert found.bound == found.objective and found.gap == 0
        assert found.runner_up > found.objective
        assert found.stability.of == "seeds" and found.stability.redraws == 27
        assert found.stability.share == 1.0 and found.unsure == ""
        assert found.stability.together[0] == [1, 1, 0, 0]
        again = dt.group_tasks(tmp_path / few_groups.PREDICTED, budget=2)
        assert [list(group) for group in again.groups] == groups
        assert again.objective == found.objective
    config["affinity"]["group_by"] = "lookahead"
    assert choose_groups(config, Stages(tmp_path)).groups == [["a", "c"], ["b", "d"]]


@pytest.mark.parametrize("seed", range(3))
def test_effects_that_add_up_are_told_exactly_by_their_sum(seed):
    """Of five tasks with any effects the groups are those of all 31 losses."""
    effect = np.random.default_rng(seed).normal(0.05, 0.2, (5, 5))
    table = planted(effect, tuple("abcde"), seeds=2)
    grouping, predicted = few_groups.choose(designed(table), "pairs_sum", 2)
    groups, loss = best(table)
    assert sorted(map(list, grouping.groups)) == sorted(groups)
    assert grouping.objective == pytest.approx(loss)
    mean = table.loss.mean(axis=0)
    assert len(predicted.groups) == 31
    for group in predicted.groups:
        row = table.names.index("+".join(group.members))
        np.testing.assert_allclose(group.scores, mean[row][table.groups[row]])


def test_predictions_are_read_as_they_were_written(tmp_path):
    _, predicted = few_groups.choose(designed(planted(TWINS)), "kernel", 2)
    path = tmp_path / "p.json"
    path.write_text(json.dumps(predicted.to_json()))
    assert GroupTable.from_json(path) == predicted


def test_redraws_are_all_ways_to_draw_the_seeds_anew():
    """Two seeds of which one finds other groups: by hand, of four draws."""
    table = planted(TWINS, seeds=2)
    other = TWINS[[0, 2, 1, 3]][:, [0, 2, 1, 3]]  # a with c, b with d, half as clear
    loss = np.stack([table.loss[0], 1 + (planted(other).loss[0] - 1) / 2])
    both = designed(TaskTable(TASKS, table.groups, (0, 1), loss))
    groups = few_groups.choose(both, "pairs_sum", 2)[0].groups
    assert groups == (("a", "b"), ("c", "d"))
    found = few_groups.redraws(both, "pairs_sum", 2, groups)
    assert (found["redraws"], found["share"], found["answers"]) == (4, 0.75, 2)
    assert found["together"][0] == [1, 0.75, 0.25, 0]
    assert found["most"][1] == {"groups": [["a", "c"], ["b", "d"]], "share": 0.25}
    one = designed(planted(TWINS, seeds=1))
    assert few_groups.redraws(one, "pairs_sum", 2, groups) is None


@pytest.mark.parametrize("train_size", [48, None])
def test_validation_images_are_neither_of_training_nor_of_test(toy, train_size):
    split, test = split_data(toy, train_size, 24, seed=3)
    index = few_groups.held_out(split, test, seed=3)
    assert len(index) == 24 and len(set(index.tolist())) == 24
    assert not set(index) & set(test)
    if train_size:
        assert not set(index) & set(np.asarray(split.subset).tolist())
    assert np.array_equal(index, few_groups.held_out(split, test, seed=3))
    assert set(index) != set(few_groups.held_out(split, test, seed=4))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((64, 24), "and of 96 images 8 are left: set data.train_size to at most 48"),
        ((30, 60), "6 are left: take smaller data.train_size and data.test_size"),
    ],
)
def test_too_few_images_to_validate_on_are_refused(toy, sizes, message):
    with pytest.raises(UserError, match=message):
        few_groups.held_out(*split_data(toy, *sizes), seed=0)


@pytest.mark.parametrize(
    ("group_by", "message"),
    [
        ("kernl", "Did you mean 'kernel'"),
        ("pairs_sun", "Did you mean 'pairs_sum'"),
        ("first_order", "unknown affinity.group_by 'first_order'.*lookahead, cosine"),
    ],
)
def test_a_name_that_cannot_choose_is_refused_with_a_guess(group_by, message):
    with pytest.raises(UserError, match=message):
        check(job(group_by))


@pytest.mark.slow
def test_a_job_without_validation_images_is_refused_first(tmp_path):
    config = job()
    config["data"] |= {"train_size": 64}
    with pytest.raises(UserError, match="8 are left"):
        run_pipeline(config, tmp_path / "p", progress=False)
    assert not (tmp_path / "p/config.json").exists()


def test_too_many_tasks_for_all_their_groups_are_refused(toy):
    says = "group_by='kernel' predicts every group: 11 tasks have 2,047 .*lookahead"
    with pytest.raises(UserError, match=says):
        few_groups.check_choice(check(job()), [str(i) for i in range(11)], toy)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return run(tmp_path_factory.mktemp("job") / "p")


def weights_of(folder):
    return read(folder, "config.json")["method"]["weights"]


@pytest.mark.slow
def test_the_job_trains_pairs_first_and_then_what_they_chose(done):
    weights = weights_of(done / "networks")
    assert sorted(map(sum, weights)) == [1] * 4 + [2] * 6
    groups = Groups.load(done)
    assert (groups.affinity, groups.trained, groups.budget) == ("kernel", 11, 2)
    three = [group for group in groups.groups if len(group) == 3]
    held = weights_of(done / "networks-2") if three else []
    assert held == [[float(task in group) for task in TOY] for group in three]
    again = dt.group_tasks(done / "predicted.json", budget=2)
    assert [list(group) for group in again.groups] == groups.groups
    assert again.assignment == groups.serves
    csv = Affinity.from_csv(done / "affinity.csv")
    assert np.array_equal(
        csv.matrix, read(done, "affinity.json")["lookahead"]["matrix"]
    )


@pytest.mark.slow
def test_the_losses_it_chooses_by_are_those_of_its_networks(done, toy):
    """One batch of the validation images through each network, by its own loss."""
    table = TaskTable.load(done / "validation.parquet")
    assert table.groups.sum(axis=1).tolist() == [1] * 4 + [2] * 6 + [4]
    images = take(toy, few_groups.validation_index(check(job()), toy))
    networks = load_run(done / "networks")
    for member, swept in enumerate(networks.swept):
        inside = np.array(swept["weights"], bool)
        row = int(np.flatnonzero((table.groups == inside).all(axis=1))[0])
        params = jax.tree.map(lambda x, m=member: x[m], networks.params)
        losses = np.asarray(networks.method.tasks.losses(params, images))
        found = table.loss[table.seeds.index(swept["seed"]), row]
        np.testing.assert_allclose(found[inside], losses[inside], rtol=2e-5)


@pytest.mark.slow
def test_the_choice_reads_no_test_loss(done, tmp_path):
    """With other test losses on record, and chosen anew, the groups stay."""
    workdir = shutil.copytree(done, tmp_path / "p")
    for name in ("networks", "multitask"):
        held = read(workdir / name, "final.json")
        for number, row in enumerate(held["rows"].values()):
            row["task_losses"] = [float(number * 7 % 5 + t) for t in range(4)]
        (workdir / name / "final.json").write_text(json.dumps(held))
    for name in ("validation.parquet", "predicted.json", "groups.json"):
        (workdir / name).unlink()
    run(workdir)
    for name in ("validation.parquet", "predicted.json", "groups.json"):
        assert (workdir / name).read_bytes() == (done / name).read_bytes(), name
    assert read(workdir, "losses.json") != read(done, "losses.json")


@pytest.mark.slow
def test_a_finished_job_computes_nothing_again(done, monkeypatch):
    for name in ("load_data", "train", "finish"):
        monkeypatch.setattr(pipeline, name, None)
    said = []
    run_pipeline(job(), done, progress=False, log=said.append)
    assert said == []


@pytest.mark.slow
@pytest.mark.parametrize("stop", ["first", "choice", "second"])
def test_stopped_between_its_stages_it_ends_with_the_same_files(
    done, tmp_path, monkeypatch, stop
):
    """After the pairs, before the groups, and before the networks of the groups."""
    calls, train = [], pipeline.train_networks

    def counted(*arguments):
        calls.append(arguments)
        if stop == "second" and len(calls) == 2:
            raise KeyboardInterrupt
        return train(*arguments)

    def interrupt(*arguments):
        raise KeyboardInterrupt

    workdir = tmp_path / "p"
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "train_networks", counted)
        if stop == "first":
            patch.setattr(few_groups, "evaluated", interrupt)
        if stop == "choice":
            patch.setattr(pipeline, "choose_groups", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(workdir)
    assert (workdir / "validation.parquet").exists() == (stop != "first")
    assert (workdir / "groups.json").exists() == (stop == "second")
    before = (workdir / "networks/metrics.jsonl").read_bytes()
    run(workdir)
    assert (workdir / "networks/metrics.jsonl").read_bytes() == before
    for name in ("validation.parquet", "predicted.json", "groups.json", "losses.json"):
        assert (workdir / name).read_bytes() == (done / name).read_bytes(), name


def checkpoints(folder):
    return {
        path.relative_to(folder): path.stat().st_mtime_ns
        for path in folder.glob("*/checkpoints/**/*")
    }


@pytest.mark.slow
def test_what_chooses_may_change_in_a_finished_job_and_change_back(done, tmp_path):
    """Only missing networks are trained; going back trains nothing."""
    workdir = run(tmp_path / "p", "lookahead")
    first, trained = (workdir / "groups.json").read_bytes(), checkpoints(workdir)
    assert Groups.load(workdir).trained == 1
    assert not (workdir / "validation.parquet").exists()
    run(workdir, "kernel")
    after = checkpoints(workdir)
    assert trained.items() <= after.items()
    held = [weights_of(path) for path in sorted(workdir.glob("networks*"))]
    every = [tuple(mask) for weights in held for mask in weights]
    assert len(set(every)) == len(every) and {2.0} < set(map(sum, every)) | {9}
    for name in ("predicted.json", "groups.json"):
        assert (workdir / name).read_bytes() == (done / name).read_bytes(), name
    assert read(workdir, "losses.json") == read(done, "losses.json")
    said = []
    run_pipeline(job("kernel"), workdir, progress=False, log=said.append)
    assert said == []
    run(workdir, "lookahead")
    assert (workdir / "groups.json").read_bytes() == first
    assert checkpoints(workdir) == after


@pytest.mark.slow
def test_with_the_truth_the_choice_is_judged_by_test_losses(done, tmp_path):
    """The row of the kernel by hand, no second one, and the words of the page."""
    workdir = shutil.copytree(done, tmp_path / "p")
    run(workdir, truth=True)
    assert (workdir / "groups.json").read_bytes() == (done / "groups.json").read_bytes()
    found, chosen = Truth.load(workdir), Groups.load(workdir)
    ways = {way.name: way for way in found.ways}
    assert {w.name for w in found.ways if w.is_estimate} == {
        *("kernel", "lookahead", "cosine")
    }
    assert not [way.name for way in found.ways if "from pairs" in way.name]
    kernel, table = ways["kernel"], TaskTable.load(workdir / "truth.parquet")
    assert (kernel.groups, kernel.trained) == (chosen.groups, 11)
    assert (ways["lookahead"].trained, found.trained) == (1, 15)
    names, mean = [set(name.split("+")) for name in table.names], table.loss.mean(0)
    rows = [names.index(set(group)) for group in chosen.groups]
    losses = [mean[rows[chosen.serves[t]], i] for i, t in enumerate(table.tasks)]
    assert kernel.loss == pytest.approx(np.mean(losses))
    assert kernel.regret == pytest.approx(np.mean(losses) - found.best)
    grouped = np.mean(read(workdir, "losses.json")["networks"]["grouped"])
    assert kernel.loss == pytest.approx(grouped)
    page, text = write_report(workdir).read_text(), result_tables(workdir)
    assert "The kernel over pairs chose " in page
    assert "It took 11 of the 15 networks per seed" in page
    assert "from 11 networks per seed" in page
    assert "2 networks, by the kernel over pairs" in text
    assert "4 redraws of the seeds" in text
