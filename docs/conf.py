"""What Sphinx makes the documentation of: ``sphinx-build -W docs build/html``."""

from importlib.metadata import version as installed

project = "sksynth"
author = "The sksynth developers"
copyright = author
version = release = installed("sksynth")

extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx_gallery.gen_gallery"]
exclude_patterns = ["_templates"]
templates_path = ["_templates"]
default_role = "obj"  # `name` in a docstring is a link where there is something of that name
suppress_warnings = ["config.cache"]  # sphinx-gallery's settings hold what Sphinx cannot keep from one build to the next

toc_object_entries_show_parents = "hide"

html_theme = "pydata_sphinx_theme"
html_title = project
html_show_sourcelink = False
html_css_files = ["sksynth.css"]
html_static_path = ["_static"]
html_theme_options = {
    "header_links_before_dropdown": 5,
    "navbar_align": "left",
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": False,
}
html_sidebars = {"index": [], "quickstart": [], "benchmarks": [], "comparison": [], "contributing": [], "changelog": []}

myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings say it
autodoc_default_options = {"members": True, "inherited-members": True}
numpydoc_show_class_members = False  # the template of a class lists them
numpydoc_class_members_toctree = False

EXAMPLES = [  # in the order in which they are shown
    "quickstart.py",
    "private_release.py",
    "linked_batches.py",
    "conditional_sampling.py",
    "text_lines.py",
    "balanced_classes.py",
    "grid_search.py",
    "dask_cluster.py",
]
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "ignore_pattern": r"benchmarks",
    "within_subsection_order": EXAMPLES.index,
    "abort_on_example_error": True,
    "doc_module": ("sksynth",),
    "backreferences_dir": "generated/backreferences",
    "image_srcset": ["2x"],
    "show_signature": False,
    "ignore_repr_types": "Display",  # the picture is enough
    "write_computation_times": False,
    "min_reported_time": 1,
}


def is_foreign(app, what, name, obj, skip, options):
    """Leave out members that come from scikit-learn or Python: they stand in their documentation."""
    function = getattr(obj, "fget", None) or getattr(obj, "__func__", obj)
    return True if callable(function) and not (getattr(function, "__module__", None) or "").startswith("sksynth") else None


def setup(app):
    """Connect what is defined here."""
    app.connect("autodoc-skip-member", is_foreign)
