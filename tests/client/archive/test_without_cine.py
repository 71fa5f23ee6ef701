"""Studies that hold nothing to predict: no failures, and not sent again."""

import csv
import io
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import UID

from panecho_client import NoUsableVideoError, PanEcho
from panecho_server import TritonServer
from support.cines import first_frames
from support.commands import invoke

QUICK = ("--num-clips", "1", "--clip-length", "2", "--tasks", "EF")
STILL = "video_sizes[0]: NOT_A_CINE: one frame"


@pytest.fixture
def archive(cine: Path, tmp_path: Path) -> Path:
    """A study of a cine, one of a still, and one of a still and of what is no video."""
    for number in (1, 2, 3):
        dataset = dcmread(io.BytesIO(first_frames(cine.read_bytes(), 6 if number == 1 else 1)))
        dataset.StudyInstanceUID = f"1.2.826.0.1.3680043.8.498.{number}"
        dataset.SOPInstanceUID = UID(f"{dataset.StudyInstanceUID}.1")
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        folder = tmp_path / "archive" / str(number)
        folder.mkdir(parents=True)
        dataset.save_as(folder / "a.dcm")
    (folder / "b.avi").write_bytes(b"RIFF0000AVI broken")
    return tmp_path / "archive"


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as opened:
        return list(csv.DictReader(opened))


def test_they_are_listed_once_and_are_no_failures(server: TritonServer, archive: Path, tmp_path: Path) -> None:
    output = tmp_path / "results"
    call = ("predict", archive, "--url", server.grpc_url, *QUICK, "--output", output)
    first = invoke(*call)
    assert first.exit_code == 3, first.output
    assert "1 of 3 studies predicted, 1 failed, 1 without a cine (nothing to predict)." in first.stderr
    (found,) = rows(output / "without_cine.csv")
    assert "NOT_A_CINE: " in found["reason"]
    (failed,) = rows(output / "failures.csv")
    assert "video_sizes[1]: " in failed["reason"]

    (archive / "3/b.avi").unlink()  # what is left is a still
    again = invoke(*call, "--resume")
    assert again.exit_code == 0, again.output
    said = "0 of 3 studies predicted, 0 failed, 1 without a cine (nothing to predict), 2 were there before."
    assert said in again.stderr
    assert len(rows(output / "without_cine.csv")) == 2
    assert not (output / "failures.csv").exists()


def test_one_study_of_no_cine_has_nothing_to_predict(server: TritonServer, archive: Path) -> None:
    result = invoke("predict", archive / "2", "--url", server.grpc_url)
    assert result.exit_code == 1
    assert "panecho predict: nothing to predict, as no file is a cine: " in result.stderr
    assert "NOT_A_CINE: " in result.stderr


def test_python_tells_nothing_to_predict_from_a_fault(server: TritonServer, archive: Path) -> None:
    with PanEcho(server.grpc_url) as panecho:
        for folder, without_cine in (("2", True), ("3", False)):
            with pytest.raises(NoUsableVideoError) as caught:
                panecho.predict_study(archive / folder)
            assert caught.value.without_cine == without_cine
            assert caught.value.codes[0] == "NOT_A_CINE"


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (f"no file of this request could be used: {STILL}", ("NOT_A_CINE",)),
        (f"no file of this study could be used: {STILL}; video_sizes[1]: M_MODE: see", ("NOT_A_CINE", "M_MODE")),
        ("no file of this request could be used: none was sent", ()),
    ],
)
def test_codes_are_read_from_the_text(text: str, codes: tuple[str, ...]) -> None:
    error = NoUsableVideoError(text)
    assert error.codes == codes
    assert error.without_cine == bool(codes)
