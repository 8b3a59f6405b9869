"""What may be asked of the toy images."""

import pytest

from disentangle.data import worlds
from disentangle.data.attributes import Attributes
from disentangle.data.worlds import Hole, Rule, World


@pytest.fixture(scope="module")
def toy_world(toy):
    """The world of the toy: x and turn are two bins of two values each."""
    world = World(
        Attributes(toy.space, ("shape", "size", "x", "turn"), (1, 1, 2, 2)),
        gallery=(0,),
        query=(1,),
        validation=(2,),
        holes={"comp": Hole(("shape", "x"), 3)},
        rules={"k3": Rule("size", ((0,), (1,), (2,)), ("shape", "turn", "x"))},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(worlds.WORLDS, "toy", world)
        yield world
