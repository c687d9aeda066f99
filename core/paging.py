"""Pages of long lists: first which rows, by what is cheap to ask of all of them; then what is shown of those."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from django.core.paginator import Page, Paginator
from django.db.models import Count, QuerySet, Window

if TYPE_CHECKING:
    Pages = Paginator[Any]
else:  # which takes no type at run time
    Pages = Paginator

_NUMBER: Final = re.compile("[1-9][0-9]{0,8}")


class KeyPaginator(Pages):
    """Pages of `found`, filtered and in order, with the rows as `shown` reads them: with whatever a list says of each.

    What a database skips to come to a page is worked out too, so a row's dear parts are asked for by its key alone.
    `dear`: the filter itself takes long, so the rows of a page and how many there are at all are one question. Of a
    list that an index has in order that would take longer, because then every row is looked at.
    """

    def __init__(self, found: "QuerySet[Any]", shown: "QuerySet[Any]", per_page: int, *, dear: bool = False) -> None:
        super().__init__(found.values_list("pk", flat=True), per_page)
        self._found, self._shown, self._dear = found, shown, dear

    def get_page(self, number: float | str | None) -> Page[Any]:
        """The rows of one page; the nearest one where there is none of that number."""
        asked = str(number or 1)
        page = self._counted_with(int(asked)) if self._dear and _NUMBER.fullmatch(asked) else None
        return super().get_page(number) if page is None else page

    def page(self, number: int | str) -> Page[Any]:
        """The rows of one page. Raises `InvalidPage`."""
        keys = super().page(number)
        return self._filled(list(keys.object_list), keys.number)

    def _counted_with(self, number: int) -> Page[Any] | None:
        """One page, and from the same answer how many rows there are; None where there is nothing on it."""
        first = (number - 1) * self.per_page
        rows = list(self._found.values_list("pk", Window(Count("*")))[first : first + self.per_page])
        if not rows:
            return None
        self.__dict__["count"] = rows[0][1]  # a cached property, which is known by now
        return self._filled([key for key, _count in rows], number)

    def _filled(self, keys: Sequence[Any], number: int) -> Page[Any]:
        rows = self._shown.in_bulk(list(keys))
        return Page([rows[key] for key in keys if key in rows], number, self)
