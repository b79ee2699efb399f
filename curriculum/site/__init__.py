"""The lessons as a site: Sphinx reads them as they are, this room says how they are to look."""
