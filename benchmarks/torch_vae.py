"""The beta-VAE step of `vae_step.py` in PyTorch eager, as a worker process.

Run by the bench environment's Python (torch and numpy only). It reads one JSON
line per job from stdin, {"channels", "steps", "models"}, and answers with the
seconds that job took. A member's state is kept between jobs of the same kind.
"""

import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional

BATCH = 64
LATENTS = 10


class Vae(nn.Module):
    """Encoder and decoder of Locatello et al. 2019, table 1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(channels, 32, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(32, 32, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(32, 64, 2, 2),
            nn.ReLU(),
            nn.Conv2d(64, 64, 2, 2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(1024, 256),
            nn.ReLU(),
            nn.Linear(256, 2 * LATENTS),
        )
        self.decoder = nn.Sequential(
            nn.Linear(LATENTS, 256),
            nn.ReLU(),
            nn.Linear(256, 1024),
            nn.ReLU(),
            nn.Unflatten(1, (64, 4, 4)),
            nn.ConvTranspose2d(64, 64, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(64, 32, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 32, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(32, channels, 4, 2, 1),
        )

    def loss(self, images: torch.Tensor, beta: float) -> torch.Tensor:
        """Bernoulli loss summed over pixels plus beta KL, mean over the batch."""
        mean, log_variance = self.encoder(images).chunk(2, dim=1)
        noise = torch.randn_like(mean)
        logits = self.decoder(mean + noise * torch.exp(0.5 * log_variance))
        reconstruction = functional.binary_cross_entropy_with_logits(
            logits, images, reduction="sum"
        )
        kl = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum()
        return (reconstruction + beta * kl) / BATCH


class Member:
    """One model in training on a resident table of uint8 images."""

    def __init__(self, channels: int, seed: int, layout: str) -> None:
        torch.manual_seed(seed)
        self.format = {
            "channels_last": torch.channels_last,
            "contiguous": torch.contiguous_format,
        }[layout]
        self.vae = Vae(channels).to(memory_format=self.format)
        self.optimizer = torch.optim.Adam(self.vae.parameters(), lr=1e-4)
        self.table = torch.randint(0, 2, (16 * BATCH, channels, 64, 64)).byte()

    def step(self) -> None:
        """Draws a batch, moves the parameters once."""
        rows = torch.randint(0, self.table.shape[0], (BATCH,))
        images = self.table[rows].float().contiguous(memory_format=self.format)
        self.optimizer.zero_grad(set_to_none=True)
        self.vae.loss(images, 4.0).backward()
        self.optimizer.step()


def main() -> None:
    """Answers jobs until stdin ends."""
    torch.set_num_threads(2)
    members: dict[tuple[int, int, str], Member] = {}
    for line in sys.stdin:
        job = json.loads(line)
        wanted = [(job["channels"], m, job["layout"]) for m in range(job["models"])]
        for key in wanted:
            if key not in members:
                members[key] = Member(*key)
                members[key].step()  # warm up
        start = time.perf_counter()
        for key in wanted:
            for _ in range(job["steps"]):
                members[key].step()
        print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)


if __name__ == "__main__":
    main()
