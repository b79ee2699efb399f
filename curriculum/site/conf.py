"""Sphinx's configuration; `build.py` adds what a single build decides."""

project = "From scratch to MNIST"
author = "The curriculum authors"
extensions = [
    "myst_nb",
    "sphinx_copybutton",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "curriculum.site.extension",
]
html_theme = "furo"
html_title = project
html_static_path = ["static"]
html_css_files = ["style.css"]
html_js_files = ["scroll.js"]
html_show_sphinx = False
html_show_copyright = False  # LICENSE says it
html_copy_source = False
html_show_sourcelink = False
nb_custom_formats = {".py": ["curriculum.site.reader.read", {}]}
nb_execution_in_temp = True  # demonstrations write runs/ beside them
nb_execution_raise_on_error = True
nb_execution_timeout = 900
nb_merge_streams = True
nb_output_stderr = "remove"  # what libraries say about the machine
nb_render_markdown_format = "gfm"  # tables of demonstrations are Markdown
nb_render_plugin = "curriculum"
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
html_math_renderer = "mathml"
smartquotes = False  # names of pairs hold quotes that are code
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
copybutton_selector = "div.highlight pre"
# The lessons' own headings repeat ("The idea"), and each has them once.
suppress_warnings = ["myst.header", "mystnb.unknown_mime_type"]
