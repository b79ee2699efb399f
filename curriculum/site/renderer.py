"""How MyST-NB writes what a cell has shown: figures keep the words that stand for them."""

from docutils import nodes
from myst_nb.core.render import MimeData, NbElementRenderer


class Renderer(NbElementRenderer):
    """MyST-NB's own, but an image takes its `alt` from the metadata of the output."""

    def render_image(self, data: MimeData) -> list[nodes.Element]:
        """One image node."""
        rendered = super().render_image(data)
        words = data.output_metadata.get(data.mime_type, {}).get("alt")
        for image in rendered:
            if words and isinstance(image, nodes.image):
                image["alt"] = words
        return rendered
