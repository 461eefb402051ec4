"""What a page gets on its way to HTML: its comments answered, words for its figures."""

import re
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging

from docs import docstrings, slides
from docs.answers import filled

logger = logging.getLogger(__name__)


def setup(app: Sphinx) -> None:
    app.connect("source-read", answer_comments)
    app.connect("autodoc-skip-member", skip)
    app.connect("build-finished", write_slides)
    app.connect("autodoc-process-docstring", docstrings.as_read)
    app.connect("autodoc-process-signature", docstrings.signature)
    app.connect("doctree-read", with_dashes)
    app.connect("doctree-read", with_contents)
    for change in (lead_to_the_browser, describe_figures):
        app.connect("doctree-read", change, priority=400)  # before Sphinx collects images and downloads
    app.add_html_math_renderer("mathml", inline_renderers=(inline_math, None), block_renderers=(block_math, None))


def answer_comments(app: Sphinx, name: str, source: list[str]) -> None:
    """The comments of answers.py, answered; the course's map under a name of its own, and with its solutions' page."""
    if name.startswith("docs/"):
        source[0] = filled(source[0]).replace("<!-- slides -->", slides.links())
    if name == "minisparse/golden/README":  # its table, with links and with the packages
        source[0] = filled(re.sub(r"(<!-- divergences: all -->\n\n)(\|.*\n)+", r"\1", source[0]))
    if name.startswith("notebooks/"):  # the report's rows are on the pages of results
        source[0] = source[0].replace("../figures/README.md)", "../docs/results.md)")
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


def with_contents(app: Sphinx, doctree: nodes.document) -> None:
    """The sections of a method's page in a line at its top: beside it there is no room, for code has 120 columns."""
    if not app.env.docname.startswith("docs/methods/"):
        return
    page = next(iter(doctree.findall(nodes.section)))
    links = [
        nodes.reference("", own.next_node(nodes.title).astext(), internal=True, refid=own["ids"][0])
        for own in page.children
        if isinstance(own, nodes.section)
    ]
    if links:
        between = [node for link in links for node in (nodes.Text(" · "), link)][1:]
        page.insert(1, nodes.paragraph("", "", nodes.Text("On this page: "), *between, classes=["contents"]))


def with_dashes(app: Sphinx, doctree: nodes.document) -> None:
    """A dash between a parameter and its words, which Sphinx writes as two hyphens."""
    for text in [own for fields in doctree.findall(nodes.field_list) for own in fields.findall(nodes.Text)]:
        if text == " -- ":
            text.parent.replace(text, nodes.Text(" – "))


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
