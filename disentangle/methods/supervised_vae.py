r"""The supervised baseline of the few-label study: R_s alone trains the encoder.

$$
\mathcal{L}_{\mathrm{encoder}} = \gamma_{\mathrm{sup}} R_s(\mu(x), y), \qquad
\mathcal{L}_{\mathrm{decoder}} = -\mathbb{E}_{q(z|x)} \log p(x|z)
$$

Locatello et al. 2020, "Disentangling factors of variation using few labels",
compare with it; the decoder learns beside, to look at the codes.
"""

from typing import Any

import jax

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.methods.base import Logs, Method, Params, Player, Recipe
from disentangle.methods.gaussian_vae import Settings, forward, method_of, model, shown
from disentangle.methods.semi_supervised import with_labels


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """-E_q(z|x) log p(x|z), z held: no gradient to the encoder, no KL; nats.

    Without a KL nothing keeps the posterior's variance: it stays as it starts, or
    drifts with the means. As in their code, z is sampled all the same.
    """
    del space
    vae = model(settings, shape)

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> tuple[jax.Array, Logs]:
        del hyper, step
        held = params | {"encoder": jax.lax.stop_gradient(params["encoder"])}
        terms = forward(vae, held, batch["images"], key=key)
        return terms.reconstruction, shown(terms)

    method = method_of(vae, {"vae": Player(("encoder", "decoder"), loss)})
    return method._replace(sample=None, log_prob=None)  # nothing asks for p(z)


RECIPE = with_labels(Recipe(build, Settings, ""), "supervised encoder")
