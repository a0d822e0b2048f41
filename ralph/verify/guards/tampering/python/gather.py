"""All that a test claims: its body gone through once for each of its cases, with what stands round it bound."""

from __future__ import annotations

from ralph.verify.guards.tampering.python import cases
from ralph.verify.guards.tampering.python.claim import Claim
from ralph.verify.guards.tampering.python.module import Test, members
from ralph.verify.guards.tampering.python.nodes import support
from ralph.verify.guards.tampering.python.resolve import Env, World, resolve, returned, short
from ralph.verify.guards.tampering.python.walk import Walk


def claims(test: Test, world: World, expand: bool = True) -> list[Claim]:
    """Everything that a test claims, for every case of its parametrisation unless ``expand`` is off."""
    tables = cases.of_test(test, world)
    rows = cases.combined(tables) if expand else None
    found: dict[tuple[object, ...], Claim] = {}
    for row in rows if rows is not None else [{}]:
        walk = Walk(world, test.owner)
        walk.block(test.node.body, _setup(test, world) | row, ())
        for claim in walk.claims:
            found.setdefault(
                (claim.key, claim.guards, claim.tolerances, claim.expected, claim.match, claim.hollow), claim
            )
    return list(found.values())


def _setup(test: Test, world: World) -> Env:
    """What the class's attributes, its setUp and the fixtures bind."""
    env: Env = {}
    for arg in (*test.node.args.args, *test.node.args.kwonlyargs):
        fixture = world.fixture(arg.arg)
        value = returned(fixture[1]) if fixture is not None else None
        if fixture is not None and value is not None:
            env[arg.arg] = support(short(resolve(value, {}, World(fixture[0], world.helpers))))
    if test.owner is not None:
        methods, attributes = members(world.module, test.owner)
        env |= {f"self.{name}": resolve(value, {}, world) for name, value in attributes.items()}
        for name in ("setUpClass", "setup_class", "setUp", "setup_method", "asyncSetUp"):
            if name in methods:
                walk = Walk(world, test.owner)
                walk.block(methods[name].body, env, ())
        env = {name: support(value) for name, value in env.items()}
    return env
