"""What a page gets on its way to HTML: its comments answered, docstrings as they are read, words for its figures."""

import re
from itertools import pairwise
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging

from docs import slides
from docs.answers import filled

logger = logging.getLogger(__name__)
WRAPPED = 104  # a line of a docstring that could have been longer than this was ended on purpose


def setup(app: Sphinx) -> None:
    app.connect("source-read", answer_comments)
    app.connect("autodoc-skip-member", skip)
    app.connect("build-finished", write_slides)
    app.connect("autodoc-process-docstring", as_read)
    for change in (lead_to_the_browser, describe_figures):
        app.connect("doctree-read", change, priority=400)  # before Sphinx collects images and downloads
    app.add_html_math_renderer("mathml", inline_renderers=(inline_math, None), block_renderers=(block_math, None))


def answer_comments(app: Sphinx, name: str, source: list[str]) -> None:
    """The comments of answers.py, answered; the course's map under a name of its own, and with its solutions' page."""
    if name.startswith("docs/"):
        source[0] = filled(source[0]).replace("<!-- slides -->", slides.links())
    if name == "notebooks/README":
        map_ = source[0].replace("# The course\n", "# A map, and plans for teachers\n", 1)
        source[0] = map_.replace("](solutions)", "](../docs/solutions.md)")


def write_slides(app: Sphinx, error: Exception | None) -> None:
    """The decks of the lecture plans, beside the pages."""
    if error is None and app.builder.format == "html":
        slides.write(Path(app.outdir, "slides"))


def skip(app: Sphinx, what: str, name: str, thing: object, skipped: bool, options: object) -> bool | None:
    """Leave out what has nothing to say: data without a docstring, and the fields that Python describes by number."""
    said = getattr(thing, "__doc__", None) or ""
    plain = not callable(thing) and not isinstance(thing, property)
    return True if plain or said.startswith("Alias for field number") else None


def as_read(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """A docstring as its author laid it out: prose as paragraphs, and whatever is aligned or indented as it stands."""
    text = "\n".join(lines)
    lines[:] = "\n\n".join([*(_block(own) for own in re.split(r"\n\s*\n", text) if own.strip()), ""]).split("\n")


def _block(text: str) -> str:
    """One block of a docstring, in reStructuredText. A line that ends early, so that more would have fitted, is one."""
    lines = text.split("\n")
    if any(re.search(r"^ |\S {2,}\S", line) for line in lines):
        return "::\n\n" + "\n".join(f"    {line}" for line in lines)
    joined = lines[:1]
    for before, line in pairwise(lines):
        if len(before) + 1 + len(line.split(" ")[0]) > WRAPPED:
            joined[-1] += f" {line}"
        else:
            joined.append(line)
    return "\n".join(("| " if len(joined) > 1 else "") + _escaped(line) for line in joined)


def _escaped(line: str) -> str:
    """A line as reStructuredText, with nothing in it but words and `code`."""
    parts = re.split(r"(`[^`]+`)", line)
    return "".join(part if i % 2 else re.sub(r"([\\*_|:`])", r"\\\1", part) for i, part in enumerate(parts))


def lead_to_the_browser(app: Sphinx, doctree: nodes.document) -> None:
    """Buttons on the pages of the course: open the notebook in a browser (what docs/lite/ builds), and download it."""
    name = app.env.docname
    notebook = re.fullmatch(r"notebooks/((?:solutions/)?\d\d_\w+)", name)
    if not notebook and name not in ("docs/course", "docs/solutions", "notebooks/README"):
        return
    page = "../" * name.count("/") + "lite/open.html" + (f"?path={notebook[1]}.ipynb" if notebook else "")
    run = f'<a class="sd-btn sd-btn-primary" href="{page}">Run this in your browser</a>'
    buttons = nodes.paragraph("", "", nodes.raw("", run, format="html"), classes=["buttons"])
    if notebook:
        file, look = f"/{name}.ipynb", ["sd-btn", "sd-btn-outline-primary"]
        buttons += addnodes.download_reference("", "Download", reftarget=file, refdoc=name, classes=look)
    title = next(iter(doctree.findall(nodes.title)))
    title.parent.insert(title.parent.index(title) + 1, buttons)


def describe_figures(app: Sphinx, doctree: nodes.document) -> None:
    """Alternative text for a notebook's figures, from the cell or the line in italics below it; the SVG for slides.

    A figure without words is a warning. Widgets go: what they draw is above them, as a picture.
    """
    for cell in list(doctree.findall(lambda node: "tag_widget" in _classes(node))):
        for output in [node for node in cell.findall(nodes.container) if "cell_output" in _classes(node)]:
            output.parent.remove(output)
    for image in list(doctree.findall(nodes.image)):
        image["alt"] = image.get("alt") or _line_below(image)
        if not image["alt"]:
            logger.warning("%s has no alternative text", image["uri"], location=image)
        if "sd-card-img-top" in _classes(image):
            continue
        svg = Path(app.srcdir, app.env.docname, "..", image["uri"]).with_suffix(".svg").resolve()
        if svg.suffix != Path(image["uri"]).suffix and svg.is_file():
            target = f"/{svg.relative_to(Path(app.srcdir).resolve()).as_posix()}"
            link = addnodes.download_reference("", "as SVG, for slides", reftarget=target, refdoc=app.env.docname)
            image.parent.parent.insert(
                image.parent.parent.index(image.parent) + 1, nodes.paragraph("", "", link, classes=["slides"])
            )


def _classes(node: nodes.Node) -> list[str]:
    return node.get("classes", []) if isinstance(node, nodes.Element) else []


def _line_below(image: nodes.image) -> str:
    """`alt` in the metadata of an image's cell, or the text of the paragraph in italics that follows it."""
    node: nodes.Node = image
    while node.parent is not None and "cell" not in _classes(node):
        node = node.parent
    if node.parent is None:
        return ""
    if words := node.get("cell_metadata", {}).get("alt"):
        return words
    place = node.parent.index(node) + 1
    below = node.parent[place] if place < len(node.parent) else None
    if isinstance(below, nodes.paragraph) and len(below) == 1 and isinstance(below[0], nodes.emphasis):
        return below.astext()
    return ""


def inline_math(translator, node: nodes.math) -> None:
    translator.body.append(_mathml(node, "inline"))
    raise nodes.SkipNode


def block_math(translator, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="formula">{_mathml(node, "block")}</div>')
    raise nodes.SkipNode


def _mathml(node: nodes.Element, display: str) -> str:
    """A formula, in the page itself. What the converter does not know it hands on as it is, which is a warning."""
    formula = convert(node.astext(), display=display)
    if "\\" in formula or "<mi>&</mi>" in formula:
        logger.warning("a formula is not understood: %s", node.astext(), location=node)
    return formula
