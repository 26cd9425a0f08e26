"""Tables, figures and methods text of a comparison in the form in which a paper prints them."""

from tasks.publication.step import update_publication

__all__ = ["update_publication"]
