"""Searches for studies (QIDO-RS), also on servers that refuse or ignore filters: then studies are filtered here."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

from panecho_client._exceptions import RequestError
from panecho_client.sources.dicomweb_json import MODALITIES_IN_STUDY, STUDY_UID, Entry, is_refusal, text, values
from panecho_client.sources.dicomweb_matching import can_match, matches, tag_of

LOGGER = logging.getLogger(__name__)

MODALITIES = "ModalitiesInStudy"
FIELDS = (MODALITIES, "NumberOfStudyRelatedInstances")

Filters: TypeAlias = Mapping[str, str]
Search: TypeAlias = Callable[[Filters, Sequence[str]], list[Entry]]
"""Filters and requested fields → entries; a RequestError that ``is_refusal`` if the server refuses the search."""


def find_studies(
    search: Search, modalities_of: Callable[[str], list[str]], query: Filters, *, server: str, parallel: int
) -> list[Entry]:
    """Return the studies that match a query, whatever of it the server does itself.

    Args:
        search: Asks the server for studies.
        modalities_of: Asks the server for the modalities of a study by its UID.
        query: DICOM keywords and what they must match; ModalitiesInStudy is one of them.
        server: Address of the server, for messages.
        parallel: Requests at a time.

    Raises:
        RequestError: The server refuses the query, and a filter of it cannot be applied here.
    """
    entries, left_out = _search(search, query)
    for keyword in left_out:
        LOGGER.warning("%s refuses the filter %s; its studies are filtered here.", server, keyword)
    if MODALITIES in left_out:
        _add_modalities(entries, modalities_of, parallel)
    for keyword in left_out:
        if any(not values(entry, tag_of(keyword)) for entry in entries):
            raise RequestError(
                f"{server} refuses the filter {keyword}, and does not tell it of each study; leave it out of the query."
            )
    return _matching(entries, query, left_out, server)


def _search(search: Search, query: Filters) -> tuple[list[Entry], list[str]]:
    """Return what the most exact query gives that the server takes, and the filters that it lacks."""
    first: RequestError | None = None
    for left_out, fields in _attempts(query):
        try:
            return search({name: value for name, value in query.items() if name not in left_out}, fields), left_out
        except RequestError as error:
            if not is_refusal(error):
                raise
            first = first or error
    raise RequestError(f"{first} The filters are {', '.join(query)}.")


def _attempts(query: Filters) -> Iterator[tuple[list[str], Sequence[str]]]:
    """Yield filters to leave out, and fields to ask for; the query as it is comes first."""
    ours_first = sorted(query, key=lambda name: name != MODALITIES)
    removable = [name for name in ours_first if can_match(name, query[name])]
    several = [removable] if len(removable) > 1 else []
    for fields in ((*FIELDS, *(name for name in query if name not in FIELDS)), ()):
        for left_out in ([], *([name] for name in removable), *several):
            yield left_out, fields


def _add_modalities(entries: list[Entry], modalities_of: Callable[[str], list[str]], parallel: int) -> None:
    """Ask for the modalities of the studies for which the server does not tell them."""
    untold = [entry for entry in entries if not values(entry, MODALITIES_IN_STUDY)]
    with ThreadPoolExecutor(parallel) as pool:
        found = pool.map(lambda entry: modalities_of(text(entry, STUDY_UID)), untold)
        for entry, modalities in zip(untold, found, strict=True):
            entry[MODALITIES_IN_STUDY] = {"vr": "CS", "Value": modalities or ["unknown"]}


def _matching(entries: list[Entry], query: Filters, left_out: Sequence[str], server: str) -> list[Entry]:
    """Return the entries that match; a server that ignores a filter returns others too."""
    for keyword, value in query.items():
        if not can_match(keyword, value):
            continue
        kept = [entry for entry in entries if matches(values(entry, tag_of(keyword)), keyword, value)]
        others, entries = len(entries) - len(kept), kept
        if others and keyword not in left_out:
            LOGGER.warning("%s ignores the filter %s; %d other studies are left out here.", server, keyword, others)
    return entries
