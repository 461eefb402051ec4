"""The site of docs/, the notebooks as they were executed and the READMEs: sphinx-build -W -c docs . site"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import minisparse
from docs import front, pages

project = "minisparse"
author = "The minisparse authors"
copyright = "2026, the minisparse authors; MIT licence"
version = release = minisparse.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.viewcode", "myst_nb", "sphinx_design"]
root_doc = "docs/index"
include_patterns = [
    "docs/*.md",
    "docs/*/*.md",
    "notebooks/README.md",
    "notebooks/*.ipynb",
    "notebooks/solutions/*.ipynb",
    "minisparse/golden/README.md",
    "benchmarks/README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
]
exclude_patterns = [".*", "site", "**/.ipynb_checkpoints"]
suppress_warnings = ["toc.empty_glob"]  # a course that is not written yet

nb_execution_mode = "off"
nb_ipywidgets_js = {}  # widgets need a kernel: the page shows the static picture before them
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_heading_anchors = 3
myst_html_meta = {
    "description lang=en": "Sparse neural-network training in plain NumPy: each method as its paper has it, golden "
    "vectors that check other code, and every published figure next to ours."
}
html_math_renderer = "mathml"  # in the page itself, so that nothing is fetched

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "undoc-members": True}
autodoc_inherit_docstrings = False
autodoc_preserve_defaults = True
autodoc_typehints = "none"  # docstrings.py lists them
add_module_names = False
python_maximum_signature_line_length = 100
default_role = "code"
smartquotes = False

html_theme = "pydata_sphinx_theme"
html_title = "minisparse"
html_static_path = ["_static"]
html_context = {"default_mode": "auto"}
html_favicon = "_static/logo.svg"
html_search_scorer = str(Path(__file__).with_name("scorer.js"))
html_css_files = ["minisparse.css"]
html_js_files = [("copy.js", {"defer": "defer"})]
html_extra_path = ["_root"]
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
WIDE = "docs/index docs/your_own docs/results docs/conformance minisparse/golden/README".split()
html_sidebars = {page: [] for page in WIDE}
CONTENTS = "docs/[!i]* docs/api/* notebooks/* notebooks/solutions/* benchmarks/* minisparse/** C*".split()
html_theme_options = {
    "logo": {
        "text": "minisparse",
        "image_light": "docs/_static/logo.svg",
        "image_dark": "docs/_static/logo.svg",
        "alt_text": "",
    },
    "header_links_before_dropdown": 8,
    "navbar_align": "left",
    "show_prev_next": True,
    "secondary_sidebar_items": {page: ["page-toc"] for page in CONTENTS},
    "footer_start": ["copyright"],
    "footer_end": [],
    "back_to_top_button": False,
}
if address := front.repository():
    html_theme_options["icon_links"] = [{"name": "Repository", "url": address, "icon": "fa-solid fa-code-branch"}]


def setup(app):
    pages.setup(app)
