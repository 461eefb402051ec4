"""Docstrings as reStructuredText: prose as paragraphs; parameters, results and errors as lists.

What begins with the name of a parameter, or with several, is about it: an aligned line, a sentence such as "score real,
any shape", and a clause of such a sentence.
"""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise

from sphinx.application import Sphinx

WRAPPED = 104  # a line of a docstring that could have been longer than this was ended on purpose
SENTENCE = re.compile(r"(?<!\bal\.)(?<!\bapp\.)(?<!\bsec\.)(?<!\beq\.)(?<!\bfig\.)(?<=[.?])\s+")
CLAUSE = re.compile(r"; |(?<=[)\]}]), (?=\w+ [(\[{])")
ERROR = re.compile(r"([A-Z]\w*Error)\b,? ?(.*)", re.DOTALL)
SAME = re.compile(r"(?:Arguments (?:and errors )?|^)as in `(\w+)`", re.MULTILINE)
Said = list[tuple[str, str]]


def as_read(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """A docstring as its author laid it out: prose as paragraphs, and whatever is aligned or indented as it stands.

    Then each parameter, with its annotation as written, what is said of it, and its default.
    """
    text, names = "\n".join(lines), parameters(thing)
    prose, told = divided(text, names) if what != "module" else (text, {})
    blocks = [_block(own) for own in re.split(r"\n\s*\n", prose) if own.strip()]
    typed, fields = annotations(thing), []
    for name, own in names.items():
        fields.append(f":param {_escaped(_starred(own))}: {_escaped(_words(own, told, text, thing))}")
        fields += [f":type {_escaped(_starred(own))}: {_escaped(typed[name])}"] if name in typed else []
    fields += [f":{kind}: {_escaped(words)}" for kind, words in told.items() if kind not in names]
    lines[:] = "\n\n".join([*blocks, "\n".join(fields), ""]).split("\n")


def parameters(thing: object) -> Mapping[str, inspect.Parameter]:
    """The parameters of a function, or of what makes an instance of a class, by name; none of anything else."""
    try:
        found = inspect.signature(thing).parameters if callable(thing) else {}
    except (TypeError, ValueError):
        return {}
    return {name: own for name, own in found.items() if name not in ("self", "cls")}


def annotations(thing: object) -> dict[str, str]:
    """{parameter, or "return": its annotation as written}: `Array`, and not what that stands for."""
    try:
        (code,) = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(thing)))).body
    except (TypeError, OSError, SyntaxError, ValueError):
        return {}
    fields: dict[str, ast.expr | None] = {}
    if isinstance(code, ast.ClassDef):
        made = next((own for own in code.body if isinstance(own, ast.FunctionDef) and own.name == "__init__"), None)
        fields = {ast.unparse(own.target): own.annotation for own in code.body if isinstance(own, ast.AnnAssign)}
        code = made or code
    if isinstance(code, ast.FunctionDef):
        owns = [*code.args.posonlyargs, *code.args.args, *code.args.kwonlyargs, code.args.vararg, code.args.kwarg]
        fields = {own.arg: own.annotation for own in owns if own} | {"return": code.returns}
    return {name: ast.unparse(_bare(node)) for name, node in fields.items() if node}


def _bare(node: ast.expr) -> ast.expr:
    """An annotation without what `Annotated` adds."""
    is_annotated = isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Annotated"
    return node.slice.elts[0] if is_annotated and isinstance(node.slice, ast.Tuple) else node  # type: ignore[attr-defined]


def signature(app: Sphinx, what: str, name: str, thing: object, options: object, arguments: str | None, result: str):
    """A signature's names and defaults, and its result: the annotations of parameters are in their list."""
    arguments = re.sub(r"<(?:function|class) '?(?:[\w.]*\.)?(\w+)[^>]*>", r"\1", arguments or "") or None
    return arguments, annotations(thing).get("return") if what in ("function", "method") else None


def divided(text: str, names: Collection[str]) -> tuple[str, dict[str, str]]:
    """(a docstring without it, {parameter, "raises ValueError" or "returns": words}). Its first paragraph stays."""
    first, *blocks = re.split(r"\n\s*\n", text)
    kept, told = [first], {}
    for block in blocks:
        left, said = _of_lines(block, names) if _is_aligned(block) else _of_sentences(block, names)
        kept += [left] if left else []
        for key, words in said:
            told[key] = f"{told[key]}; {words}" if key in told else words
    return "\n\n".join(kept), told


def _of_lines(block: str, names: Collection[str]) -> tuple[str, Said]:
    """A block of aligned lines: in full where all that it names are parameters, as it stands otherwise."""
    entries = [re.match(r"(\w+(?:, \w+)*)(.*)", entry, re.DOTALL) for entry in re.split(r"\n(?=\S)", block)]
    if not all(entry and set(entry[1].split(", ")) <= set(names) for entry in entries):
        return block, []
    lines = (re.sub(r"\s+", " ", entry[0]) for entry in entries if entry)
    return "", [said for line in lines for said in _clauses(line, names)]


def _of_sentences(block: str, names: Collection[str]) -> tuple[str, Said]:
    kept, said = [], []
    named = re.compile(rf"{SENTENCE.pattern}|\s+(?=(?:{'|'.join(names)})(?: \S)?: )")
    for line in _unwrapped(block):
        left = []
        for sentence in (named if names else SENTENCE).split(line):
            bare = sentence.rstrip(".;")
            if ERROR.match(bare):
                said += list(_errors(bare))
            elif bare.startswith("Returns "):
                said.append(("returns", bare.removeprefix("Returns ")))
            elif _leading(bare, names)[0]:
                said += _clauses(bare, names)
            else:
                left.append(sentence)
        kept += [" ".join(left)] if left else []
    return "\n".join(kept), said


def _errors(sentence: str) -> Iterator[tuple[str, str]]:
    for clause in re.split(r"(?:;|, and|,) (?=[A-Z]\w*Error)", sentence):
        if error := ERROR.match(clause):
            yield f"raises {error[1]}", error[2]


def _clauses(sentence: str, names: Collection[str]) -> Said:
    """(parameter, words) of a sentence that begins with one: a clause that begins otherwise belongs to the last."""
    found: list[tuple[list[str], str]] = []
    for clause in CLAUSE.split(sentence):
        leading, words = _leading(clause, names)
        if leading or not found:
            found.append((leading, words))
        else:
            found[-1] = found[-1][0], f"{found[-1][1]}; {clause}"
    return [(name, words) for leading, words in found for name in leading]


def _leading(clause: str, names: Collection[str]) -> tuple[list[str], str]:
    """The parameters that a clause begins with, and its other words; none where it begins otherwise."""
    found, rest = [], f", {clause}"
    while (m := re.match(r"(?:, | and )`?(\w+)`?(?=[\s:,(\[{]|$)", rest)) and m[1] in names:
        found.append(m[1])
        rest = rest[m.end() :]
    if found == ["a"] and not rest.startswith((":", " (")):  # the article
        return [], clause
    return found, re.sub(r"^[:,\s]+", "", rest)


def _starred(own: inspect.Parameter) -> str:
    return {own.VAR_POSITIONAL: "*", own.VAR_KEYWORD: "**"}.get(own.kind, "") + own.name


def _words(own: inspect.Parameter, told: Mapping[str, str], text: str, thing: object) -> str:
    """What is said of a parameter, there or where the docstring refers to, and its default."""
    words = told.get(own.name, "") or _help(own)
    if (same := SAME.search(words or text)) and (other := _beside(thing, same[1])):
        words = divided(inspect.getdoc(other) or "", parameters(other))[1].get(own.name, words)
    default = "" if own.default is own.empty else repr(own.default)
    if default and "<" not in default:
        words = f"{words.rstrip('.')}{'; ' * bool(words)}default `{default}`"
    return words


def _help(own: inspect.Parameter) -> str:
    """What the command line says of a field; its {methods} and {users} are known there alone."""
    said = (getattr(more, "help", "") for more in getattr(own.annotation, "__metadata__", ()))
    return re.sub(r": \{users\}|\{methods\}\.?", "", "".join(said))


def _beside(thing: object, name: str) -> object:
    """What has a name in the module of a function or class."""
    return getattr(sys.modules.get(getattr(thing, "__module__", "")), name, None)


def _is_aligned(block: str) -> bool:
    return any(re.search(r"^ |\S {2,}\S", line) for line in block.split("\n"))


def _unwrapped(block: str) -> list[str]:
    """The lines of a paragraph, each that ended for want of room joined with the next."""
    lines = block.split("\n")
    joined = lines[:1]
    for before, line in pairwise(lines):
        if len(before) + 1 + len(line.split(" ")[0]) > WRAPPED:
            joined[-1] += f" {line}"
        else:
            joined.append(line)
    return joined


def _block(text: str) -> str:
    """One block of a docstring, in reStructuredText. A line that ends early, so that more would have fitted, is one."""
    if _is_aligned(text):
        return "::\n\n" + "\n".join(f"    {line}" for line in text.split("\n"))
    joined = _unwrapped(text)
    return "\n".join(("| " if len(joined) > 1 else "") + _escaped(line) for line in joined)


def _escaped(line: str) -> str:
    """A line as reStructuredText, with nothing in it but words and `code`."""
    parts = re.split(r"(`[^`]+`)", line)
    return "".join(part if i % 2 else re.sub(r"([\\*_|:`])", r"\\\1", part) for i, part in enumerate(parts))
