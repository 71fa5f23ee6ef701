"""What stands at the head of a report: names, dates and numbers as people write them."""

from datetime import date

from panecho_client._description import VERSION
from panecho_client._identity.patient_facts import OLDEST
from panecho_client._identity.study_identity import StudyIdentity
from panecho_client._results import StudyResult

__all__ = ["readable_about", "readable_date", "readable_person"]


def readable_about(study: StudyResult, identity: StudyIdentity) -> dict[str, str]:
    """Return what is known of patient and study, by what it is; what is not known is left out."""
    used = len(study.videos) - len(study.skipped)
    age, surface = identity.patient_age, identity.body_surface
    about = {
        "Study": identity.study,
        "Patient": identity.patient,
        "Name": readable_person(identity.patient_name),
        "Born": readable_date(identity.patient_birth_date),
        "Sex": {"F": "female", "M": "male"}.get(identity.patient_sex or "", "not known"),
        "Age": "not known" if age is None else f"{age} years{' or more' if age >= OLDEST else ''}",
        "Body surface": None if surface is None else f"{surface:.2f} m² (Du Bois)",
        "Study date": readable_date(identity.study_date),
        "Accession number": identity.accession_number,
        "Referred by": readable_person(identity.referring_physician),
        "Files": f"{used} of {len(study.videos)} used",
        "Weights": study.weights.name,
        "Software": f"panecho-triton {VERSION}",
    }
    return {name: value for name, value in about.items() if value}


def readable_person(name: str | None) -> str | None:
    """Return a name of DICOM, such as ``Doe^Jane^^Dr.``, as people write it: ``Dr. Jane Doe``."""
    if not name:
        return None
    family, given, middle, prefix, suffix, *_ = [*name.split("=")[0].split("^"), "", "", "", "", ""]
    return " ".join(" ".join(filter(None, (prefix, given, middle, family, suffix))).split()) or None


def readable_date(text: str | None) -> str | None:
    """Return a date of DICOM, ``20261128``, as ``28 Nov 2026``; what is no date stays as it is."""
    try:
        day = date.fromisoformat(text or "")
    except ValueError:
        return text
    return f"{day.day} {day:%b} {day.year}"
