"""Pages of long lists: first which rows, by what is cheap to ask of all of them; then what is shown of those."""

from typing import TYPE_CHECKING, Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet

if TYPE_CHECKING:
    Pages = Paginator[Any]
else:  # which takes no type at run time
    Pages = Paginator


class KeyPaginator(Pages):
    """Pages of `found`, filtered and in order, with the rows as `shown` reads them: with whatever a list says of each.

    What a database skips to come to a page is worked out too, so a row's dear parts are asked for by its key alone.
    """

    def __init__(self, found: "QuerySet[Any]", shown: "QuerySet[Any]", per_page: int) -> None:
        super().__init__(found.values_list("pk", flat=True), per_page)
        self._shown = shown

    def page(self, number: int | str) -> Page[Any]:
        """The rows of one page. Raises `InvalidPage`."""
        keys = super().page(number)
        rows = self._shown.in_bulk(list(keys.object_list))
        return Page([rows[key] for key in keys.object_list if key in rows], keys.number, self)
