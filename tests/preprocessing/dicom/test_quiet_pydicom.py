import logging
import warnings
from collections.abc import Callable

import pytest
from pydicom import config

from panecho_preprocessing import ClipOptions, VideoError, video_clips
from panecho_preprocessing.dicom.quiet_pydicom import quiet_pydicom


def test_header_values_reach_neither_warnings_nor_logs(
    rewritten: Callable[..., bytes], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    data = rewritten(PatientName="SECRET^PATIENT").replace(
        b"\x28\x00\x08\x00IS\x02\x0030", b"\x28\x00\x08\x00IS\x02\x00??"
    )
    with warnings.catch_warnings(record=True) as warned, caplog.at_level(logging.DEBUG):
        warnings.simplefilter("always")
        video_clips(data, ClipOptions(num_clips=1, clip_length=2))
    assert warned == []
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")


def test_the_process_is_left_as_it_was() -> None:
    logger, mode = logging.getLogger("pydicom"), config.settings.reading_validation_mode
    level, filters = logger.level, list(warnings.filters)
    with quiet_pydicom():
        assert not logger.isEnabledFor(logging.CRITICAL)
    with pytest.raises(VideoError):
        video_clips(bytes(128) + b"DICM", ClipOptions())
    assert (logger.level, list(warnings.filters), config.settings.reading_validation_mode) == (level, filters, mode)
