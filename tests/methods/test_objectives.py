"""The penalties of the one-objective VAEs against closed forms and enumerations."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.errors import UserError
from disentangle.methods import (
    annealed_vae,
    beta_tcvae,
    dip_vae,
    hfs_vae,
    info_vae,
    moments,
)
from disentangle.methods import total_correlation as tc
from disentangle.methods.gaussian_vae import Terms, kl_to_prior
from disentangle.training.run import fit
from disentangle.training.writers import read_metrics


def mixture(size=7, latents=3, spread=1.5, seed=0):
    """Means and log-variances of q(z|x_n), n = 1 .. size, and one z of each."""
    rng = np.random.default_rng(seed)
    mean = spread * rng.standard_normal((size, latents))
    logvar = rng.uniform(-1.5, 0.5, (size, latents))
    return mean, logvar, mean + np.exp(logvar / 2) * rng.standard_normal(mean.shape)


def density(z, mean, logvar):
    """q(z_id | x_j) at [i, j, d], float64."""
    spread = np.exp(logvar)[None]
    return np.exp(-((z[:, None] - mean[None]) ** 2) / (2 * spread)) / np.sqrt(
        2 * np.pi * spread
    )


def estimate(name, rows, size, mean, logvar, z):
    """exp of an estimator's joint (B,) and marginals (B, D) on the images `rows`."""
    rows = np.asarray(rows)
    log_q = tc.log_posteriors(*(jnp.float32(v[rows]) for v in (z, mean, logvar)))
    joint, marginals = tc.TC_ESTIMATORS[name](log_q, size)
    return np.exp(np.float64(joint)), np.exp(np.float64(marginals))


def test_log_posteriors_are_the_densities_also_for_narrow_ones_far_out():
    mean, logvar, z = mixture()
    for shift, narrow in ((0, 0), (30, -9)):  # sigma down to a two-hundredth
        moved = np.float32(mean + shift), np.float32(logvar + narrow)
        point = np.float32(moved[0] + np.exp(moved[1] / 2) * (z - mean))
        ours = tc.log_posteriors(*(jnp.asarray(v) for v in (point, *moved)))
        wide = [np.float64(v) for v in (point, *moved)]
        squares = (wide[0][:, None] - wide[1]) ** 2 / np.exp(wide[2])
        expected = -0.5 * (squares + wide[2] + np.log(2 * np.pi))
        np.testing.assert_allclose(ours, expected, rtol=2e-6, atol=1e-5)


def test_the_whole_data_set_as_a_batch_gives_the_mixture_exactly():
    """mws is log q(z) - log N, locatello log q(z) + log N; so is each marginal."""
    mean, logvar, z = mixture(size=40, latents=4)
    q = density(z, mean, logvar)
    joint, marginals = q.prod(2).mean(1), q.mean(1)
    for name, factor in (("mws", 1 / 40), ("locatello", 40.0)):
        ours = estimate(name, range(40), 40, mean, logvar, z)
        np.testing.assert_allclose(ours[0], joint * factor, rtol=1e-5)
        np.testing.assert_allclose(ours[1], marginals * factor, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("batch", [2, 3, 5])
def test_mss_is_unbiased_for_the_density_and_mws_is_what_its_weights_say(batch):
    """All ordered batches of a data set of 5 that begin with image 0, averaged."""
    size = 5
    mean, logvar, z = mixture(size=size)
    q = density(z, mean, logvar)[0]
    rest = list(itertools.permutations(range(1, size), batch - 1))
    for name in ("mss", "mws"):
        found = [estimate(name, (0, *r), size, mean, logvar, z) for r in rest]
        joint = np.mean([f[0][0] for f in found])
        marginals = np.mean([f[1][0] for f in found], axis=0)
        weights = np.full(size, 1 / size)
        if name == "mws":  # itself always, each other image in (B-1)/(N-1) of all
            weights = np.full(size, (batch - 1) / (size - 1)) / (size * batch)
            weights[0] = 1 / (size * batch)
        np.testing.assert_allclose(joint, weights @ q.prod(1), rtol=1e-5)
        np.testing.assert_allclose(marginals, weights @ q, rtol=1e-5)


def test_stratified_weights():
    for batch, size in ((2, 2), (4, 4), (4, 1000), (64, 737_280), (64, 50)):
        w = tc.stratified_weights(batch, size)
        np.testing.assert_allclose(w.sum(1), 1.0, rtol=1e-12)
        assert (w > 0).all()
        np.testing.assert_allclose(np.diag(w), 1 / max(size, batch))
    with pytest.raises(UserError, match="at least 2 images"):
        tc.stratified_weights(1, 100)


def correlated(rho, size, rng):
    """x ~ N(0, Sigma), q(z|x) = N(a x, s^2): then q(z) is Gaussian, its TC known."""
    a, s2 = 0.8, 0.36
    x = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], size)
    mean, logvar = a * x, np.full((size, 2), np.log(s2))
    z = mean + np.sqrt(s2) * rng.standard_normal((size, 2))
    r = a**2 * rho / (a**2 + s2)
    return mean, logvar, z, -0.5 * np.log(1 - r**2)


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.0, 0.9])
def test_estimators_find_the_total_correlation_of_a_gaussian_but_for_constants(rho):
    """In a batch of 2,000 of N = 10^6 images; mss needs no constant at all."""
    size, batch = 1_000_000, 2000
    mean, logvar, z, truth = correlated(rho, batch, np.random.default_rng(1))
    log_q = tc.log_posteriors(*(jnp.float32(v) for v in (z, mean, logvar)))
    constants = {"mws": math.log(size), "mss": 0.0, "locatello": -math.log(batch)}
    for name, constant in constants.items():
        joint, marginals = tc.TC_ESTIMATORS[name](log_q, size)
        found = float((joint - marginals.sum(-1)).mean())
        assert found - constant == pytest.approx(truth, abs=0.03), name
    ours = moments.gaussian_total_correlation(jnp.float32(mean), jnp.float32(logvar))
    assert float(ours) == pytest.approx(truth, abs=0.02)


@pytest.mark.slow
def test_a_small_batch_biases_every_estimate():
    """Why none is reported: narrow independent posteriors, ten latents, 64 images.

    The truth is 0; mss, whose density is unbiased, says more than 20 nats.
    """
    rng = np.random.default_rng(2)
    mean, logvar = rng.standard_normal((64, 10)), np.full((64, 10), -6.0)
    z = mean + np.exp(-3.0) * rng.standard_normal(mean.shape)
    z, mean, logvar = (jnp.float32(v) for v in (z, mean, logvar))
    log_q = tc.log_posteriors(z, mean, logvar)
    tcs = {}
    for name, estimator in tc.TC_ESTIMATORS.items():
        joint, marginals = estimator(log_q, 737_280)
        tcs[name] = float((joint - marginals.sum(-1)).mean())
    assert tcs["mws"] > 140
    assert tcs["locatello"] < -10
    assert tcs["mss"] > 20
    assert float(moments.gaussian_total_correlation(mean, logvar)) < 0.7


def terms_of(mean, logvar, z):
    mean, logvar, z = (jnp.float32(v) for v in (mean, logvar, z))
    return Terms(jnp.float32(0.0), kl_to_prior(mean, logvar), mean, logvar, z)


def tcvae_loss(terms, beta, **choice):
    common = {"key": jax.random.key(0), "step": 0}
    return beta_tcvae.decomposed(
        terms, beta_tcvae.Settings(beta=beta), **common, **choice
    )[0]


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["mws", "mss"])
def test_beta_1_is_the_kl_at_one_sample_whatever_the_estimator(estimator):
    mean, logvar, z = mixture(size=9)
    log_q = np.log(density(z, mean, logvar))[np.arange(9), np.arange(9)].sum(1)
    log_p = np.log(density(z, np.zeros((1, 3)), np.zeros((1, 3))))[:, 0].sum(1)
    ours = tcvae_loss(terms_of(mean, logvar, z), 1.0, estimator=estimator, size=500)
    np.testing.assert_allclose(ours, (log_q - log_p).mean(), rtol=1e-5)


@pytest.mark.slow
def test_gradients_of_mws_and_locatello_agree_but_for_the_kl():
    """The data set's size and the constants are nothing to the gradient."""
    mean, logvar, z = (jnp.float32(v) for v in mixture(size=9))

    def estimated(logvar, name, size):
        joint, marginals = tc.TC_ESTIMATORS[name](
            tc.log_posteriors(z, mean, logvar), size
        )
        return (joint - marginals.sum(-1)).mean()

    gradients = [
        jax.grad(estimated)(logvar, *choice)
        for choice in (("mws", 9), ("mws", 10**6), ("locatello", 1))
    ]
    for other in gradients[1:]:
        np.testing.assert_allclose(gradients[0], other, rtol=1e-5, atol=1e-7)


def test_wrong_choices_are_named():
    with pytest.raises(UserError, match="Did you mean 'mws'"):
        beta_tcvae.Settings(estimator="ms")
    with pytest.raises(UserError, match="at least 0"):
        beta_tcvae.Settings(dataset_size=-1)
    with pytest.raises(UserError, match="Did you mean 'imq'"):
        info_vae.Settings(kernel="img")
    with pytest.raises(UserError, match="Did you mean 'unbiased'"):
        info_vae.Settings(statistic="unbias")
    with pytest.raises(UserError, match="at least 2 latents"):
        hfs_vae.Settings(latents=1)
    with pytest.raises(UserError, match="pairs=-1"):
        hfs_vae.Settings(pairs=-1)


def test_capacity_grows_to_its_end_and_stays():
    hyper = annealed_vae.Settings(c_max=50.0, threshold=200.0)
    found = [float(annealed_vae.capacity(hyper, t)) for t in (0, 1, 100, 200, 10**6)]
    np.testing.assert_allclose(found, [0.0, 0.25, 25.0, 50.0, 50.0])


@pytest.mark.slow
def test_the_capacity_of_a_test_loss_is_that_of_its_step(toy, tmp_path):
    fields = {"name": "annealed_vae", "threshold": 8.0, "c_max": 4.0, "gamma": 1.0}
    config = {"method": fields, "steps": 6, "batch_size": 8, "eval_every": 3}
    fit(with_defaults(config), toy, workdir=tmp_path / "run", progress=False)
    rows = read_metrics(tmp_path / "run")
    found = {r["step"]: r["capacity"] for r in rows if r["split"] == "test"}
    assert found == pytest.approx({3: 1.5, 6: 3.0})


def with_defaults(config):
    from disentangle.training.config import default_config

    whole = default_config("toy", config["method"]["name"]).to_dict()
    dense = {"encoder": "dense", "decoder": "dense"}
    return whole | config | {"method": whole["method"] | config["method"] | dense}


def test_covariances_of_q_are_those_of_a_large_sample():
    mean, logvar, _ = mixture(size=30)
    rng = np.random.default_rng(3)
    rows = rng.integers(0, 30, 400_000)
    z = mean[rows] + np.exp(logvar[rows] / 2) * rng.standard_normal((len(rows), 3))
    ours = moments.posterior_covariance(jnp.float32(mean), jnp.float32(logvar))
    np.testing.assert_allclose(ours, np.cov(z.T), atol=0.03)
    far = moments.covariance(jnp.float32(mean + 300.0))  # no digits lost far out
    np.testing.assert_allclose(far, np.cov(mean.T, bias=True), rtol=1e-4, atol=1e-4)


def test_dip_penalties_vanish_where_they_should_and_count_pairs_twice():
    """Means on (+-1, +-1) have covariance I; sheared by hand they have not."""
    corners = np.array(list(itertools.product((-1.0, 1.0), repeat=2)))
    common = {"key": jax.random.key(0), "step": 0}

    def penalty(mean, logvar, moment, **hyper):
        terms = terms_of(mean, np.full(mean.shape, logvar), mean)
        loss, _ = dip_vae.objective(
            terms, dip_vae.Settings(**hyper), moment=moment, **common
        )
        return float(loss - terms.kl.sum())

    i, ii = dip_vae.covariance_of_means, dip_vae.covariance_of_samples
    assert penalty(corners, -2.0, i) == pytest.approx(0.0, abs=1e-4)
    assert penalty(0.6 * corners, np.log(0.64), ii) == pytest.approx(0.0, abs=1e-4)
    # C = [[1, 1/2], [1/2, 5/4]]: 2 (1/2)^2 off the diagonal, (1/4)^2 on it
    sheared = corners @ np.array([[1.0, 0.5], [0.0, 1.0]])
    found = penalty(sheared, 0.0, i, lambda_od=3.0, lambda_d_factor=2.0)
    assert found == pytest.approx(3 * 0.5 + 6 / 16, rel=1e-5)
    # II adds the variance 1 of each sample to the diagonal: 2 and 9/4
    found = penalty(sheared, 0.0, ii, lambda_od=3.0, lambda_d_factor=2.0)
    assert found == pytest.approx(3 * 0.5 + 6 * (1 + 25 / 16), rel=1e-5)


def rbf_mean(shift, variance, width, latents):
    """E exp(-|x - y|^2 / (2 width)) for x - y ~ N(shift, variance I), float64."""
    total = width + variance
    scale = (width / total) ** (latents / 2)
    return scale * math.exp(-latents * shift**2 / (2 * total))


@pytest.mark.parametrize("statistic", info_vae.STATISTICS)
def test_mmd_of_two_gaussians_is_its_closed_form(statistic):
    """The mean over 4,000 samples of 8; the V-statistic with its known bias."""
    latents, shift, sd, bandwidth, n = 3, 0.7, 1.6, 0.4, 8
    width = bandwidth * latents**2 / 2  # exp(-|d|^2 / (b D^2))
    own = [rbf_mean(0, 2 * v, width, latents) for v in (1.0, sd**2)]
    truth = sum(own) - 2 * rbf_mean(shift, 1 + sd**2, width, latents)
    if statistic == "biased":
        truth += sum((1 - k) / n for k in own)

    def one(key):
        first, second = jax.random.split(key)
        x = jax.random.normal(first, (n, latents))
        y = shift + sd * jax.random.normal(second, (n, latents))
        kernel = lambda s: info_vae.rbf(s, latents=latents, bandwidth=bandwidth)
        return info_vae.mmd(x, y, kernel, info_vae.STATISTICS[statistic])

    found = np.float64(jax.vmap(one)(jax.random.split(jax.random.key(0), 4000)))
    error = found.std() / np.sqrt(len(found))
    assert abs(found.mean() - truth) < 4 * error
    assert error < 0.02 * truth


def test_the_inverse_multiquadric_at_its_scale():
    """1/2 at the expected squared distance of two draws of the prior, 2 D."""
    k = info_vae.imq(jnp.float32([0.0, 20.0]), latents=10, bandwidth=1.0)
    np.testing.assert_allclose(k, [1.0, 0.5])


def info_loss(alpha, lambda_):
    mean, logvar, z = mixture(size=9)
    terms = terms_of(mean, logvar, z)
    hyper = info_vae.Settings(alpha=alpha, lambda_=lambda_)
    settings = info_vae.Settings(latents=3)
    common = {"key": jax.random.key(0), "step": 0, "settings": settings}
    loss, logs = info_vae.objective(terms, hyper, **common)
    return float(loss), float(terms.kl.sum()), float(logs["mmd"])


def test_info_vae_has_the_vae_and_the_mmd_vae_at_its_ends():
    loss, kl, _ = info_loss(0.0, 1.0)
    assert loss == pytest.approx(kl, rel=1e-6)
    loss, _, mmd = info_loss(1.0, 500.0)
    assert loss == pytest.approx(500 * mmd, rel=1e-6)


@pytest.mark.slow
def test_hausdorff_is_zero_on_a_grid_and_a_hole_s_depth_off_it():
    grid = np.array(list(itertools.product(range(4), range(5))), np.float32)
    assert float(hfs_vae.hausdorff(*grid.T)) == 0.0
    # Without the corner (3, 4) its nearest neighbours are 1 away; without the last
    # two of that row and column as well, (3, 4) is 1 + 1 off the diagonal neighbour.
    missing = [(3, 4)], [(3, 4), (2, 4), (3, 3)]
    for gone, squared in zip(missing, (1.0, 2.0), strict=True):
        kept = np.array([p for p in grid if tuple(p) not in gone], np.float32)
        assert float(hfs_vae.hausdorff(*kept.T)) == pytest.approx(squared)
    # Correlation alone costs nothing: the diagonal three times over, no hole.
    dense = np.concatenate([grid] + 2 * [grid[grid[:, 0] == grid[:, 1]]])
    assert float(hfs_vae.hausdorff(*dense.T)) == 0.0


def test_hausdorff_gradient_is_that_of_the_distance_it_found():
    """Finite differences in float64 of plain loops."""
    points = np.random.default_rng(5).standard_normal((6, 2))

    def distance(p):
        recombined = itertools.product(p[:, 0], p[:, 1])
        return max(((p - np.array(r)) ** 2).sum(1).min() for r in recombined)

    ours = jax.grad(lambda p: hfs_vae.hausdorff(p[:, 0], p[:, 1]))(jnp.float32(points))
    slopes = np.zeros_like(points)
    for index in np.ndindex(points.shape):
        step = np.zeros_like(points)
        step[index] = 1e-6
        slopes[index] = (distance(points + step) - distance(points - step)) / 2e-6
    np.testing.assert_allclose(ours, slopes, atol=1e-5)


def test_pairs_are_different_and_all_of_them_come_up():
    keys = jax.random.split(jax.random.key(0), 200)
    drawn = np.asarray(jax.vmap(lambda k: hfs_vae.draw_pairs(6, 4, k))(keys))
    assert drawn.shape == (200, 4, 2)
    assert (drawn[..., 0] < drawn[..., 1]).all()
    assert all(len({tuple(p) for p in step}) == 4 for step in drawn)
    assert len({tuple(p) for p in drawn.reshape(-1, 2)}) == 15
    for count in (0, 15, 99):
        assert hfs_vae.draw_pairs(6, count, keys[0]).shape == (15, 2)
