"""Mutants of the package's own functions against the vectors alone: python -m tests.golden.mutants, from the root.

Every function of MODULES is changed one operator, constant, argument, branch or statement at a time, and the cases that
run its lines are asked. One that no case fails survives. Not mutated: messages, checks of arguments and branches that
raise, which no legal question sees, and the functions of OUTSIDE, with the reason. Survivors that equal_mutants.txt
lists make no difference to any answer; it says why. Names of modules as arguments ask for these alone.

One process, one core, a minute and a half.
"""

import ast
import copy
import importlib
import inspect
import signal
import sys
import time
import types
import warnings
from pathlib import Path

import numpy as np

import minisparse
from minisparse.golden import calls, cases
from minisparse.golden.trajectory import trajectory
from minisparse.golden.values import decode, matches

HOME = Path(minisparse.__file__).parent
MODULES = (
    "methods.rigl methods.set methods.snfs methods.snip methods.grasp methods.synflow methods.structure "
    "methods.deep_r methods.dsr methods.granet methods.srigl methods.ac_dc methods.top_kast methods.straight_through "
    "methods.obd methods.obs methods.magnitude methods.l0 masks allocate schedule "
    "recipes.before recipes.during recipes.rounds recipes.watch recipes.within train"
).split()
OUTSIDE = {
    "every function of the package that draws its own noise, or asks for an open-ended call, has tests of its own": (
        "methods.l0.uniforms methods.l0.initial_log_alpha methods.l0.log_alpha_of masks.random_masks "
        "recipes.watch.noise recipes.watch.ranked_by recipes.watch.random_values recipes.before.small_dense "
        "recipes.before.grasp recipes.before.synflow"
    ),
    "what wraps a loss or an optimizer: no case calls it, and tests/methods tries it": (
        "recipes.within.top_kast_loss recipes.within.top_kast_optimizer recipes.within.top_kast_weights "
        "recipes.within.straight_through_loss recipes.within.straight_through_masks"
    ),
    "what is shown, counted or stored, not computed": (
        "masks.Masks methods.l0.architecture methods.l0.open_gates methods.l0.masks methods.l0.l0_at_test "
        "methods.l0.folded recipes.within.averaged recipes.before.mnist_densities"
    ),
    "errors": "train._diverged train.not_finite",
}
CHECKS = {"real", "whole", "same_keys", "same_shapes", "masks_fit", "stored_alike", "warn", "_check", "_check_span",
          "_check_fraction", "_some_to_prune", "as_numbers"}  # fmt: skip
SWAPS = {
    ast.Add: [ast.Sub], ast.Sub: [ast.Add], ast.Mult: [ast.Div, ast.Add], ast.Div: [ast.Mult, ast.FloorDiv],
    ast.FloorDiv: [ast.Div], ast.Mod: [ast.Mult], ast.Pow: [ast.Mult], ast.BitAnd: [ast.BitOr], ast.BitOr: [ast.BitAnd],
    ast.Lt: [ast.LtE, ast.Gt], ast.LtE: [ast.Lt, ast.GtE], ast.Gt: [ast.GtE, ast.Lt], ast.GtE: [ast.Gt, ast.LtE],
    ast.Eq: [ast.NotEq], ast.NotEq: [ast.Eq], ast.And: [ast.Or], ast.Or: [ast.And], ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is], ast.In: [ast.NotIn], ast.NotIn: [ast.In],
}  # fmt: skip
SECONDS = 3


def changes(node):
    """Copies of one node, each with one thing changed."""
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign):
        yield from (_with(node, op=swap()) for swap in SWAPS.get(type(node.op), []))
    if isinstance(node, ast.BinOp):
        yield from (node.left, node.right)
    if isinstance(node, ast.BoolOp):
        for i in range(len(node.values)):
            left = [*node.values[:i], *node.values[i + 1 :]]
            yield left[0] if len(left) == 1 else _with(node, values=left)
    if isinstance(node, ast.Assign | ast.AugAssign | ast.Expr | ast.Continue):
        yield ast.Pass()
    if isinstance(node, ast.comprehension) and node.ifs:
        yield _with(node, ifs=[])
    if isinstance(node, ast.Call) and len(node.args) > 1 and not any(isinstance(a, ast.Starred) for a in node.args):
        yield _with(node, args=[node.args[1], node.args[0], *node.args[2:]])
    if isinstance(node, ast.Call):
        for i in range(len(node.keywords)):
            yield _with(node, keywords=[*node.keywords[:i], *node.keywords[i + 1 :]])
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice) and isinstance(node.ctx, ast.Load):
        yield node.value
    if isinstance(node, ast.Compare) and len(node.ops) >= 1:
        for i, op in enumerate(node.ops):
            for swap in SWAPS.get(type(op), []):
                yield _with(node, ops=[*node.ops[:i], swap(), *node.ops[i + 1 :]])
    if isinstance(node, ast.UnaryOp):
        yield node.operand
    if isinstance(node, ast.Constant) and not isinstance(node.value, str):
        if isinstance(node.value, bool):
            yield ast.Constant(not node.value)
        elif isinstance(node.value, int | float):
            yield from (ast.Constant(node.value + d) for d in (1, -1))
        elif node.value is None:
            yield ast.Constant(0)
    if isinstance(node, ast.IfExp):
        yield from (node.body, node.orelse)
    if isinstance(node, ast.If):
        yield _with(node, test=ast.Constant(True))
        yield _with(node, test=ast.Constant(False))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "abs":
        yield node.args[0]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("floor", "ceil"):
        yield _with(node, func=_with(node.func, attr="ceil" if node.func.attr == "floor" else "floor"))
        yield _with(node, func=ast.Name("round", ast.Load()))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("min", "max"):
        yield _with(node, func=_with(node.func, id="max" if node.func.id == "min" else "min"))
        yield from node.args
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "round":
        yield node.args[0]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "project":
        yield node.args[0]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("any", "all", "mean"):
        yield _with(node, func=_with(node.func, attr={"any": "all", "all": "any", "mean": "sum"}[node.func.attr]))
    if isinstance(node, ast.keyword) and node.arg == "among":
        yield _with(node, value=ast.Constant(None))


def _with(node, **fields):
    new = copy.copy(node)
    for field, value in fields.items():
        setattr(new, field, value)
    return new


def outside(node):
    """Is this a check, a message or a branch that raises?"""
    if isinstance(node, ast.Raise | ast.JoinedStr | ast.arguments):
        return True
    if (
        isinstance(node, ast.If | ast.For)
        and not node.orelse
        and (all(map(_refuses, node.body)) or isinstance(node.body[-1], ast.Raise))
    ):
        return True
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _name(node.value) in CHECKS:
        return True
    if isinstance(node, ast.Expr) and (isinstance(node.value, ast.Constant) or _refuses(node)):
        return True
    if isinstance(node, ast.Call):
        return _name(node) in CHECKS
    return isinstance(node, ast.AnnAssign) and node.value is None


def _refuses(statement):
    """Does the statement nothing but check, warn or raise?"""
    if isinstance(statement, ast.If | ast.For):
        return not statement.orelse and all(map(_refuses, statement.body))
    return isinstance(statement, ast.Raise) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call) and _name(statement.value) in CHECKS
    )


def _name(call):
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def mutants(tree):
    """(line, what was there, what is there now, the changed tree), one change each; `tree` is left as it was."""
    spots = []

    def walk(node, parent, field, index):
        if outside(node):
            return
        if parent is not None:
            for new in changes(node):
                spots.append((node, parent, field, index, new))
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list"):
                continue
            for i, child in enumerate(value if isinstance(value, list) else [value]):
                if isinstance(child, ast.AST):
                    walk(child, node, name, i if isinstance(value, list) else None)

    walk(tree, None, None, None)
    for node, parent, field, index, new in spots:
        line = getattr(node, "lineno", None) or getattr(getattr(node, "value", None), "lineno", 0)
        old = getattr(parent, field)
        ast.copy_location(new, node) if hasattr(node, "lineno") else None
        ast.fix_missing_locations(new)
        setattr(parent, field, new if index is None else [*old[:index], new, *old[index + 1 :]])
        yield line, ast.unparse(node), ast.unparse(new)
        setattr(parent, field, old)


def own_functions(module):
    """{name in the file: function}, those in classes and behind decorators too."""
    found = {}
    for name, value in vars(module).items():
        value = inspect.unwrap(value) if callable(value) and not isinstance(value, type) else value
        if isinstance(value, types.FunctionType) and value.__code__.co_filename == module.__file__:
            found[name] = value
    return found


def code_of(tree, name, file):
    """The code of the top-level function `name` of a changed module."""
    for constant in compile(tree, file, "exec").co_consts:
        if isinstance(constant, types.CodeType) and constant.co_name == name:
            return constant
    raise LookupError(name)


class TooSlow(Exception):
    pass


def alarmed(signum, frame):
    raise TooSlow


def asked():
    """[(case, its function)], the quick ones first."""
    names = [name for name in MODULES if not name.startswith("recipes")]
    homes = [importlib.import_module(f"minisparse.{name}") for name in names]
    own = {"trajectory": trajectory}
    for home in homes:
        own |= {name: getattr(home, name) for name in cases.load() if name not in own and hasattr(home, name)}
    own |= {name: getattr(calls, name) for name in cases.load() if hasattr(calls, name)}
    every = [(case, own[case.function]) for group in cases.load().values() for case in group if case.function in own]
    return sorted(every, key=lambda pair: len(str(pair[0].expected)) + len(str(pair[0].inputs)))


def right(case, function):
    """Does the function give the expected answer?"""
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        return matches(function(**case.arguments()), decode(case.expected), case.rtol, case.atol) is None
    except TooSlow:
        return False
    except Exception:
        return False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def lines_run(pairs):
    """{(file, line): [numbers of the cases that run it]}."""
    files = {str(HOME / f"{name.replace('.', '/')}.py") for name in MODULES}
    seen = {}

    def local(frame, event, arg):
        if event == "line":
            seen.setdefault((frame.f_code.co_filename, frame.f_lineno), set()).add(number)
        return local

    def trace(frame, event, arg):
        return local(frame, event, arg) if frame.f_code.co_filename in files else None

    for number, (case, function) in enumerate(pairs):  # noqa: B007, `local` reads it
        sys.settrace(trace)
        try:
            function(**case.arguments())
        finally:
            sys.settrace(None)
    return {place: sorted(numbers) for place, numbers in seen.items()}


def survivors(pairs, only=MODULES):
    """(killed, surviving, outside): lists of "module:line  was → is"."""
    ran = lines_run(pairs)
    left_out = {name for names in OUTSIDE.values() for name in names.split()}
    killed, alive = [], []
    for name in only:
        module = importlib.import_module(f"minisparse.{name}")
        tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
        functions = own_functions(module)
        for top in tree.body:
            if not isinstance(top, ast.FunctionDef) or f"{name}.{top.name}" in left_out:
                continue
            function = functions[top.name]
            usual = function.__code__
            for line, was, now in mutants(top):
                label = f"{name}:{line} {top.name}: " + " ".join(f"{was} → {now}".split())[:300]
                try:
                    function.__code__ = code_of(tree, top.name, module.__file__)
                except ValueError:  # another number of names from outside: no such change
                    continue
                try:
                    span = range(top.lineno, (top.end_lineno or top.lineno) + 1)
                    exact = ran.get((module.__file__, line), [])
                    near = sorted({n for at in span for n in ran.get((module.__file__, at), [])})
                    order = [*exact, *(n for n in near if n not in set(exact))]
                    fails = any(not right(*pairs[n]) for n in order)
                finally:
                    function.__code__ = usual
                (killed if fails else alive).append(label)
    return killed, alive


def no_difference():
    """The mutants of equal_mutants.txt, which has reasons as lines that begin with #."""
    text = (Path(__file__).parent / "equal_mutants.txt").read_text(encoding="utf-8")
    return {line for line in text.splitlines() if line and not line.startswith("#")}


def without_line(label):
    place, _, change = label.partition(" ")
    return f"{place.partition(':')[0]} {change}"


def main():
    signal.signal(signal.SIGALRM, alarmed)
    warnings.simplefilter("ignore")
    started = time.perf_counter()
    with np.errstate(all="ignore"):
        killed, alive = survivors(asked(), sys.argv[1:] or MODULES)
    equal = no_difference()
    left = [label for label in alive if without_line(label) not in equal]
    for label in left:
        print(label)
    n, duty = len(killed) + len(alive), len(killed) + len(left)
    print(
        f"{len(killed)} of {n} mutants killed, {len(killed) / n:.1%}; {n - duty} survive that make no difference: "
        f"{len(killed) / duty:.1%} of {duty}, in {time.perf_counter() - started:.0f} s"
    )


if __name__ == "__main__":
    main()
