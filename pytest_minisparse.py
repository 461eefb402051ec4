"""The golden vectors of minisparse as tests of your module: pytest --minisparse-golden my_pkg.rigl

One item for each case of every function that the module has by the contract's name; a function that it lacks is one
skipped item. Without the option nothing is imported and nothing changes, which is why this file stands outside the
package.
"""

from pathlib import Path

import pytest


def pytest_addoption(parser):
    group = parser.getgroup("minisparse", "golden vectors of sparse training")
    group.addoption(
        "--minisparse-golden",
        action="append",
        default=[],
        metavar="MODULE",
        help="check this module's functions against minisparse's golden vectors; repeatable",
    )
    group.addoption("--minisparse-arrays", default="numpy", help="what its functions take: numpy, torch or jax")
    group.addoption(
        "--minisparse-ties", default="any", choices=("any", "pinned"), help="pinned: of equals the lower index first"
    )
    group.addoption("--minisparse-float32", action="store_true", help="tolerances for code in float32")


@pytest.hookimpl(tryfirst=True)  # so that -k and --lf choose among these items too
def pytest_collection_modifyitems(session, config, items):
    modules = config.getoption("--minisparse-golden")
    if modules:
        items.extend(_items(session, config, modules))


def _items(session, config, modules):
    from functools import partial

    from minisparse.golden import cases, check

    functions = cases.load()
    float32, ties = config.getoption("--minisparse-float32"), config.getoption("--minisparse-ties")
    arrays = config.getoption("--minisparse-arrays")
    for module in modules:
        try:
            code = check.Guest(module, partial(check.Door, arrays, float32), functions)
        except ValueError as error:
            raise pytest.UsageError(str(error)) from error
        config.add_cleanup(code.close)
        for function, own in functions.items():
            if function not in code.offers:
                item = GoldenItem.from_parent(
                    session, name=f"{module}:{function}", nodeid=f"golden::{module}:{function}"
                )
                item.add_marker(pytest.mark.skip(reason=f"{module} has no {function}"))
                yield item
                continue
            for case in own:
                item = GoldenItem.from_parent(session, name=case.id, nodeid=f"golden::{module}:{case.id}")
                item.case = case.in_float32() if float32 else case
                item.ask = (code, {"pinned": ties == "pinned", "float32": float32})
                yield item


class Wrong(Exception):
    """An answer that is not the case's."""


class GoldenItem(pytest.Item):
    """One golden case, asked of one callable in a process of its own."""

    case = None
    ask = ()

    def runtest(self):
        from minisparse.golden import check

        code, how = self.ask
        outcome = check.outcome(self.case, code.ask(self.case), **how)
        if outcome.unsupported:
            pytest.skip(f"not supported: {outcome.unsupported}")
        if outcome.wrong and self.case.optional:
            pytest.xfail(f"optional: {outcome.wrong}")
        if outcome.wrong:
            raise Wrong(outcome.wrong)

    def repr_failure(self, excinfo):
        if not isinstance(excinfo.value, Wrong):
            return super().repr_failure(excinfo)
        return (
            f"{self.case.id}: {self.case.reason}\nyour answer {excinfo.value}\npins {self.case.pin}; {self.case.source}"
        )

    def reportinfo(self):
        return Path("golden"), 0, self.nodeid.removeprefix("golden::")
