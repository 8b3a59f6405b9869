"""A config file of `compare`: two methods on the toy data set, `argument` steps."""

from disentangle.study.comparison import default_comparison

DENSE = {"encoder": "dense", "decoder": "dense"}


def get_config(argument="300"):
    """The study's config."""
    config = default_comparison("toy", {"vae": DENSE, "beta_vae": DENSE | {"beta": 8}})
    config.score.metrics = ("mig",)
    config.score.num_train, config.score.num_test = 300, 150
    for section in config.runs.values():
        section.steps, section.seeds, section.batch_size = int(argument), 2, 8
        section.eval_every, section.log_every = 100, 40
        section.checkpoint_every = 50
    return config
