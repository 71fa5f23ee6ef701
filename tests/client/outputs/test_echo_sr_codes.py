"""Codes of the Simplified Adult Echo SR against the context groups of PS3.16, as pydicom carries them."""

import pytest
from pydicom.sr._cid_dict import cid_concepts
from pydicom.sr._concepts_dict import concepts as every_concept
from pydicom.sr.coding import Code

from panecho_client.outputs.echo_sr_content import (
    AD_HOC,
    CORE,
    LANGUAGE,
    PRE_COORDINATED,
    PROPERTIES,
    ROOT,
    SHORT_LABEL,
)

concepts: dict[str, dict[str, dict[str, tuple[str, list[int]]]]] = dict(every_concept)  # type: ignore[arg-type]  # as it is

CORE_ECHO_MEASUREMENTS, ECHO_MEASURED_PROPERTIES = 12300, 12304


def meanings(cid: int) -> dict[tuple[str, str], str]:
    """Code and scheme of each concept of a context group, and its meaning."""
    return {
        (code, scheme): meaning
        for scheme, names in cid_concepts[cid].items()
        for name in names
        for code, (meaning, groups) in concepts[scheme][name].items()
        if cid in groups
    }


@pytest.mark.parametrize("task", CORE)
def test_a_core_measurement_is_one_of_the_standard(task: str) -> None:
    code = CORE[task]
    assert meanings(CORE_ECHO_MEASUREMENTS)[code.value, code.scheme_designator] == code.meaning


@pytest.mark.parametrize("task", PROPERTIES)
def test_an_ad_hoc_measurement_is_of_a_property_of_the_standard(task: str) -> None:
    code = PROPERTIES[task]
    assert task not in CORE
    assert meanings(ECHO_MEASURED_PROPERTIES)[code.value, code.scheme_designator] == code.meaning


@pytest.mark.parametrize("code", [ROOT, PRE_COORDINATED, AD_HOC, SHORT_LABEL, LANGUAGE])
def test_the_tree_is_made_of_codes_of_the_standard(code: Code) -> None:
    found = [known[code.value][0] for known in concepts["DCM"].values() if code.value in known]
    assert found == [code.meaning]
