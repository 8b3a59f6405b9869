"""Training steps of four methods in PyTorch, a model after the other: a worker process.

Run by the bench environment's Python (torch and numpy only). It reads one JSON line per
job from stdin, {"method", "channels", "models", "steps", "compiled"}, and answers with
the seconds that job took, or null where this cannot be had (no compiler, no memory).
The device is the GPU where there is one. A member's state is kept between jobs.
"""

import itertools
import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional
from torch_vae import BATCH, LATENTS, Vae

SIZES = (4, 8, 32)  # values of the three factors of the supervised network
HIDDEN, SUBSPACE, WIDTH = 64, 4, 1000
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def divergence(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """KL to the standard normal, summed over latents, mean over the batch."""
    return 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum() / BATCH


class BetaVae(nn.Module):
    """Its parts, and beta = 4."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.vae = Vae(channels)

    def parts(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """(reconstruction, KL, z, mean, log variance)."""
        mean, log_variance = self.vae.encoder(images).chunk(2, dim=1)
        z = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        logits = self.vae.decoder(z)
        reconstruction = functional.binary_cross_entropy_with_logits(
            logits, images, reduction="sum"
        )
        kl = divergence(mean, log_variance)
        return reconstruction / BATCH, kl, z, mean, log_variance

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The loss."""
        reconstruction, kl, *_ = self.parts(images)
        return reconstruction + 4.0 * kl


class BetaTcVae(BetaVae):
    """The total correlation by minibatch-weighted sampling, beta = 6."""

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The loss."""
        reconstruction, kl, z, mean, log_variance = self.parts(images)
        difference = z[:, None] - mean[None]
        density = -0.5 * (difference**2 / log_variance.exp() + log_variance)
        density = density - 0.5 * 1.8378770664093453
        joint = torch.logsumexp(density.sum(2), 1)
        apart = torch.logsumexp(density, 1).sum(1)
        return reconstruction + kl + 5.0 * (joint - apart).mean()


class FactorVae(BetaVae):
    """The VAE's loss, gamma = 35; the discriminator's is `critic_loss`."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        widths = [LATENTS, *[WIDTH] * 6]
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            layers += [nn.Linear(before, after), nn.LeakyReLU(0.2)]
        self.critic = nn.Sequential(*layers, nn.Linear(WIDTH, 2))

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The loss of the VAE."""
        reconstruction, kl, z, *_ = self.parts(images)
        logits = self.critic(z)
        return reconstruction + kl + 35.0 * (logits[:, 0] - logits[:, 1]).mean()

    def critic_loss(self, images: torch.Tensor) -> torch.Tensor:
        """The loss of the discriminator: codes of images against permuted ones."""
        with torch.no_grad():
            mean, log_variance = self.vae.encoder(images).chunk(2, dim=1)
            z = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
            order = torch.rand(BATCH, LATENTS, device=z.device).argsort(0)
            permuted = z.gather(0, order)
        zeros = torch.zeros(BATCH, dtype=torch.long, device=z.device)
        real = functional.cross_entropy(self.critic(z), zeros)
        return 0.5 * (real + functional.cross_entropy(self.critic(permuted), zeros + 1))


class Supervised(nn.Module):
    """A shared encoder, a head per factor, cross entropies."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.encoder = Vae(channels).encoder[:-1]
        self.heads = nn.ModuleList(
            nn.Sequential(
                nn.Linear(256, HIDDEN),
                nn.ReLU(),
                nn.Linear(HIDDEN, SUBSPACE),
                nn.Linear(SUBSPACE, size),
            )
            for size in SIZES
        )

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The sum of the losses."""
        features = self.encoder(images)
        losses = [
            functional.cross_entropy(head(features), labels[:, i])
            for i, head in enumerate(self.heads)
        ]
        return sum(losses[1:], losses[0])


METHODS = {
    "beta_vae": BetaVae,
    "factor_vae": FactorVae,
    "beta_tcvae": BetaTcVae,
    "supervised": Supervised,
}


class Member:
    """One model in training on a resident table of uint8 images."""

    def __init__(self, method: str, channels: int, seed: int, compiled: bool) -> None:
        torch.manual_seed(seed)
        self.net = METHODS[method](channels).to(DEVICE)
        own = [p for n, p in self.net.named_parameters() if not n.startswith("critic")]
        self.optimizer = torch.optim.Adam(own, lr=1e-4)
        self.critic = None
        self.loss = torch.compile(self.net) if compiled else self.net
        if method == "factor_vae":
            rate = {"lr": 1e-4, "betas": (0.5, 0.9)}
            self.critic = torch.optim.Adam(self.net.critic.parameters(), **rate)
            critic_loss = self.net.critic_loss
            self.critic_loss = torch.compile(critic_loss) if compiled else critic_loss
        shape = (16 * BATCH, channels, 64, 64)
        self.table = torch.randint(0, 2, shape, device=DEVICE).byte()
        columns = [torch.randint(0, n, (16 * BATCH,), device=DEVICE) for n in SIZES]
        self.labels = torch.stack(columns, 1)

    def step(self) -> None:
        """Draws a batch, moves the parameters once."""
        rows = torch.randint(0, self.table.shape[0], (BATCH,), device=DEVICE)
        images, labels = self.table[rows].float(), self.labels[rows]
        if self.critic is not None:
            self.critic.zero_grad(set_to_none=True)
            self.critic_loss(images).backward()
            self.critic.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.loss(images, labels).backward()
        self.optimizer.step()


def wait() -> None:
    """Returns when the device has done all."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def seconds(job: dict, members: dict) -> float:
    """The seconds of one job, after a step of every new member."""
    keys = [
        (job["method"], job["channels"], seed, job["compiled"])
        for seed in range(job["models"])
    ]
    for key in keys:
        if key not in members:
            members[key] = Member(*key)
            members[key].step()
    wait()
    start = time.perf_counter()
    for key in keys:
        for _ in range(job["steps"]):
            members[key].step()
    wait()
    return time.perf_counter() - start


def main() -> None:
    """Answers jobs until stdin ends."""
    if DEVICE == "cpu":
        torch.set_num_threads(2)
    torch.set_float32_matmul_precision("high")  # TF32 where there is, as JAX's default
    members: dict = {}
    for line in sys.stdin:
        try:
            found = seconds(json.loads(line), members)
        except Exception as error:  # no compiler, no memory: the others go on
            print(f"PyTorch: {type(error).__name__}: {error}"[:300], file=sys.stderr)
            found = None
        print(json.dumps({"seconds": found, "device": DEVICE}), flush=True)


if __name__ == "__main__":
    main()
